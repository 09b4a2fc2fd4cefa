"""One request to ``BASE/chat/completions``; the key, if there is one, from ``GRIDLOOP_ASSISTANT_KEY``."""

from __future__ import annotations

import os

import httpx

from gridloop.sdk import outgoing
from gridloop.sdk.assistants import TIMEOUT_SECONDS, Ask, AssistantError


class OpenAIAssistant:
    """``base`` such as ``http://127.0.0.1:11434/v1``; ``model`` as the service calls it."""

    def __init__(self, base: str, model: str, key: str = "") -> None:
        if not base.startswith(("http://", "https://")) or not model:
            raise ValueError("GRIDLOOP_ASSISTANT is openai:BASE-URL#MODEL, such as openai:http://127.0.0.1:11434/v1#qwen2.5")
        self._url, self._model = f"{base.rstrip('/')}/chat/completions", model
        parts = httpx.URL(base)  # the administrator named this very host and port, which may well stand in the house
        self._named = frozenset({f"{parts.host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"})
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def write(self, ask: Ask) -> str:
        body = {
            "model": self._model,
            "temperature": 0.2,
            "max_tokens": ask.most * 2,
            "messages": [{"role": "system", "content": ask.task}, {"role": "user", "content": ask.text}],
        }
        try:
            answer = outgoing.post(self._url, json=body, headers=self._headers, timeout=TIMEOUT_SECONDS, trusted=self._named)
            answer.raise_for_status()
            written = answer.json()["choices"][0]["message"]["content"]
        except outgoing.Refused as fault:
            raise AssistantError(str(fault)) from fault
        except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as fault:
            raise AssistantError(type(fault).__name__) from fault
        if not isinstance(written, str) or not written.strip():
            raise AssistantError("an empty answer")
        return written.strip()[: ask.most]


def build(address: str) -> OpenAIAssistant:
    """``address`` is ``BASE-URL#MODEL``."""
    base, _, model = address.partition("#")
    return OpenAIAssistant(base, model, os.environ.get("GRIDLOOP_ASSISTANT_KEY", ""))
