import { newKey } from "@/api/client";
import type { PhotoKind } from "@/api/shared";
import { goodEnough, QUALITIES, refusal, shrunk, takenAt } from "./rules";
import type { Place } from "../lib/place";

export interface Photo {
  id: string;
  blob: Blob;
  sha256: string | null;
  at: string;
  place: Place | null;
  label: PhotoKind | "report";
}

/** Text keyed failure: the screen shows `t(message)`. */
export class PhotoFault extends Error {}

/** Re-encodes one picture (this also drops the camera's own metadata), stamps time and place, and hashes what will be sent. */
export async function take(file: File, label: Photo["label"], place: Place | null, now: Date): Promise<Photo> {
  const reason = refusal(file);
  if (reason) throw new PhotoFault(reason);
  const blob = await toJpeg(file);
  const at = takenAt(now, Date.now(), file.lastModified).toISOString();
  return { id: newKey(), blob, sha256: await sha256(blob), at, place, label };
}

async function toJpeg(file: File): Promise<Blob> {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new PhotoFault("photo.unreadable");
  });
  const size = shrunk(bitmap);
  const canvas = document.createElement("canvas");
  canvas.width = size.width;
  canvas.height = size.height;
  const pen = canvas.getContext("2d");
  if (!pen) throw new PhotoFault("photo.unreadable");
  pen.fillStyle = "white"; // transparent pictures would turn black as JPEG
  pen.fillRect(0, 0, size.width, size.height);
  pen.drawImage(bitmap, 0, 0, size.width, size.height);
  bitmap.close();
  return encode(canvas, 0);
}

async function encode(canvas: HTMLCanvasElement, step: number): Promise<Blob> {
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/jpeg", QUALITIES[step]));
  if (!blob) throw new PhotoFault("photo.unreadable");
  return goodEnough(blob.size, step) ? blob : encode(canvas, step + 1);
}

/** null where the browser has no crypto (plain HTTP on a foreign host): the server then computes it alone. */
async function sha256(blob: Blob): Promise<string | null> {
  if (!globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, "0")).join("");
}
