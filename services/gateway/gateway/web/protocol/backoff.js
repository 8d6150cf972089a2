/** Waiting between attempts: full jitter, so that a thousand clients don't come back in the same moment. */

const FIRST = 0.5;
const LONGEST = 30;

/**
 * Seconds to wait before the attempt after `attempt` failed ones (0 is the first wait), at least `least`:
 * uniform between 0 and a bound that doubles from half a second to half a minute.
 */
export function backoff(attempt, least = 0, random = Math.random) {
  return least + random() * Math.min(LONGEST, FIRST * 2 ** Math.min(attempt, 10));
}
