"""`--direct QUEUE`: straight on a dead queue, when dlq-monitor is down."""
