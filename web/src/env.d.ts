/// <reference types="vite/client" />
declare module "*?url" {
  const url: string;
  export default url;
}
// Style entries of Element Plus carry no types.
declare module "element-plus/es/components/*/style/css";
