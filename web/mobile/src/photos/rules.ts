/** What a photo becomes before it is stored on the phone: pure decisions, no canvas. */
export const LONGEST = 1600;
export const ENOUGH_BYTES = 900_000;
export const QUALITIES = [0.82, 0.7, 0.55] as const;
export const TOO_BIG_BYTES = 60_000_000;

export interface Size {
  width: number;
  height: number;
}

/** Fits the longest side into 1600 px, never enlarges, never reaches 0. */
export function shrunk({ width, height }: Size): Size {
  const ratio = Math.min(1, LONGEST / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * ratio)), height: Math.max(1, Math.round(height * ratio)) };
}

/** The first quality whose result is small enough, else the last one tried. */
export function goodEnough(bytes: number, step: number): boolean {
  return bytes <= ENOUGH_BYTES || step >= QUALITIES.length - 1;
}

/** Text key of the reason why a chosen file cannot be taken, or null. */
export function refusal(file: { type: string; size: number }): "photo.not_image" | "photo.too_big" | null {
  if (file.type && !file.type.startsWith("image/")) return "photo.not_image";
  if (file.size > TOO_BIG_BYTES) return "photo.too_big";
  return null;
}

/** Time of taking on the deployment's clock: the file's age subtracted, a file "from the future" counts as just taken. */
export function takenAt(now: Date, wall: number, lastModified: number): Date {
  const age = lastModified > 0 ? Math.max(0, wall - lastModified) : 0;
  return new Date(now.getTime() - age);
}
