import "@/styles/tokens.css";
