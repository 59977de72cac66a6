/** Pieces of the arena in a queue: what is to be sent, or was received before it could be used. Reused, not allocated. */
export class Segment {
  start = 0;
  length = 0;
  /** What to give back afterwards, or NO_REGION. */
  region = -1;
  next: Segment | null = null;
}

let free: Segment | null = null;

export function takeSegment(start: number, length: number, region: number): Segment {
  const segment = free ?? new Segment();
  free = segment.next;
  segment.start = start;
  segment.length = length;
  segment.region = region;
  segment.next = null;
  return segment;
}

export function giveSegment(segment: Segment): void {
  segment.next = free;
  free = segment;
}
