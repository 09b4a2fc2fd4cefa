"""One request to ``BASE/chat/completions``; the key, if there is one, from ``GRIDLOOP_ASSISTANT_KEY``."""

from __future__ import annotations

import os

import httpx

from gridloop.sdk.assistants import TIMEOUT_SECONDS, Ask, AssistantError

MOST_BYTES = 1 << 20


class OpenAIAssistant:
    """``base`` such as ``http://127.0.0.1:11434/v1``; ``model`` as the service calls it."""

    def __init__(self, base: str, model: str, key: str = "") -> None:
        if not base.startswith(("http://", "https://")) or not model:
            raise ValueError("GRIDLOOP_ASSISTANT is openai:BASE-URL#MODEL, such as openai:http://127.0.0.1:11434/v1#qwen2.5")
        self._url, self._model = f"{base.rstrip('/')}/chat/completions", model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def write(self, ask: Ask) -> str:
        body = {
            "model": self._model,
            "temperature": 0.2,
            "max_tokens": ask.most * 2,
            "messages": [{"role": "system", "content": ask.task}, {"role": "user", "content": ask.text}],
        }
        try:
            answer = httpx.post(self._url, json=body, headers=self._headers, timeout=TIMEOUT_SECONDS, follow_redirects=False)
            answer.raise_for_status()
            if len(answer.content) > MOST_BYTES:
                raise AssistantError("the answer is too long")
            written = answer.json()["choices"][0]["message"]["content"]
        except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as fault:
            raise AssistantError(type(fault).__name__) from fault
        if not isinstance(written, str) or not written.strip():
            raise AssistantError("an empty answer")
        return written.strip()[: ask.most]


def build(address: str) -> OpenAIAssistant:
    """``address`` is ``BASE-URL#MODEL``."""
    base, _, model = address.partition("#")
    return OpenAIAssistant(base, model, os.environ.get("GRIDLOOP_ASSISTANT_KEY", ""))
