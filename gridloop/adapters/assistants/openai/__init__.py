"""Any service that speaks the OpenAI chat protocol: hosted, or a model on a machine of one's own."""
