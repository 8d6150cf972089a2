"""What tests share: nodes, waiting, raw AMQP, services in this process."""
