import { get, Problem } from "@/api/client";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { listenForNetwork, online, returns } from "../src/lib/network";

/** The network as it is, whatever the browser believes of it. */
let cut: (path: string) => boolean = () => false;
const asked: string[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", (path: string) => {
    asked.push(path);
    return cut(path) ? Promise.reject(new TypeError("Failed to fetch")) : Promise.resolve(new Response("{}"));
  });
  listenForNetwork();
});

afterEach(async () => {
  cut = () => false;
  await vi.advanceTimersByTimeAsync(10_000);
  asked.length = 0;
  vi.useRealTimers();
});

const call = (): Promise<unknown> => get("/api/v1/me").catch((fault: unknown) => fault);

it("is off-line when requests fail, though the browser says on-line, and says when it has come back", async () => {
  expect(navigator.onLine).toBe(true);
  cut = () => true;
  const before = returns.value;
  expect(await call()).toBeInstanceOf(Problem);
  expect(online.value).toBe(false);
  await vi.advanceTimersByTimeAsync(12_000);
  expect(online.value).toBe(false);
  expect(asked.filter((path) => path === "/healthz")).toHaveLength(3);
  cut = () => false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(online.value).toBe(true);
  expect(returns.value).toBe(before + 1);
});

it("takes one request that was cut off for no return of the network, or a large photo would be sent without a pause for ever", async () => {
  cut = (path) => path !== "/healthz";
  const before = returns.value;
  await call();
  expect(online.value).toBe(false);
  await vi.advanceTimersByTimeAsync(0);
  expect(online.value).toBe(true);
  expect(returns.value).toBe(before);
});

it("asks when the browser sees a network again", async () => {
  cut = () => true;
  window.dispatchEvent(new Event("online"));
  await vi.advanceTimersByTimeAsync(0);
  expect(online.value).toBe(false);
});
