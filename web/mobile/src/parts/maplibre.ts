import "maplibre-gl/dist/maplibre-gl.css";
import { addProtocol, Map, setWorkerUrl } from "maplibre-gl";

/** The parts the phone uses, in a chunk of their own. */
export default { addProtocol, Map, setWorkerUrl };
