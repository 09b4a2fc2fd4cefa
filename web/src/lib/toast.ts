/** Short notices at the top of the desk. */
import "element-plus/es/components/message/style/css";
import "element-plus/es/components/notification/style/css";
import { ElMessage } from "element-plus/es/components/message/index.mjs";
import { ElNotification } from "element-plus/es/components/notification/index.mjs";
import { h } from "vue";
import { faultText, type Say } from "./faults";

export const done = (message: string): void => void ElMessage({ message, type: "success", duration: 2500, grouping: true });

/** Shows title, detail and the faults of single fields of a failed call. */
export function failed(error: unknown, say: Say): void {
  const text = faultText(error, say);
  const lines = [text.detail, ...text.fields].filter(Boolean).map((line) => h("p", line));
  ElNotification({ title: text.title, message: h("div", { role: "alert" }, lines), type: "error", duration: 6000 });
}
