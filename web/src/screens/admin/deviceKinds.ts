/** Kinds of devices there are words for; another one is shown by its code. */
export const DEVICE_KINDS = ["camera", "smoke", "door", "motion", "water_meter", "electricity_meter", "gas_meter", "thermal", "water_level", "rain", "loudspeaker", "gps"];
