/** Line icons drawn by hand on a 24 px grid (stroke); no icon font, no emoji. */
export const ICONS = {
  tasks: "M8 4h8v3H8zM6 5H5v16h14V5h-1M9 12h6M9 16h4",
  camera: "M4 8h3l2-3h6l2 3h3v11H4zM12 10a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4z",
  album: "M4 6h16v12H4zM4 15l5-5 4 4 3-2.500 4 4M15.500 9.500h.01",
  me: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4 21c.6-4.4 3.8-7 8-7s7.4 2.6 8 7",
  back: "M15 5l-7 7 7 7",
  pin: "M12 21s-7-6.2-7-11.4A7 7 0 0 1 19 9.600C19 14.800 12 21 12 21zM12 7.400a2.400 2.400 0 1 0 0 4.800 2.400 2.400 0 0 0 0-4.800z",
  close: "M6 6l12 12M18 6L6 18",
  star: "M12 3.500l2.600 5.500 6 .800-4.400 4.200 1.100 6L12 17.100 6.700 20l1.100-6L3.400 9.800l6-.800z",
  check: "M5 12.500l4.500 4.500L19 7.500",
  cloud: "M7 18h10a4 4 0 0 0 .5-8A6 6 0 0 0 6 11a3.600 3.600 0 0 0 1 7zM12 16v-5M9.800 13l2.200-2.200 2.200 2.200",
} as const;
export type IconName = keyof typeof ICONS;
