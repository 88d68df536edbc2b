"""The openai backend against a small HTTP server that speaks the protocol."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage

from rag.config import Settings, load_settings
from rag.errors import ModelError, SettingError
from rag.llm import choose_backend, load_llm

WORDS = ("Descale ", "every ", "60 ", "days.")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.headers["Authorization"] == "Bearer wrong":
            self._send(401, {"error": {"message": "bad key"}})
        else:
            self._send(200, {"object": "list", "data": [{"id": "served", "object": "model"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked = asked  # type: ignore[attr-defined]
        if asked["model"] == "broken":
            self._send(500, {"error": {"message": "out of memory"}})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for word in WORDS[: asked["max_tokens"]]:
            told = (
                {"content": [{"token": word, "logprob": -0.25, "top_logprobs": []}]} if asked.get("logprobs") else None
            )
            delta = {"role": "assistant", "content": word}
            self._event({"choices": [{"index": 0, "delta": delta, "logprobs": told}]})
        self._event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, fields: dict[str, object]) -> None:
        event = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "served", **fields}
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())

    def _send(self, status: int, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def settings_for(server: ThreadingHTTPServer, **changes: object) -> Settings:
    return load_settings(llm_base_url=f"http://127.0.0.1:{server.server_port}/v1", **changes)


class Listener(BaseCallbackHandler):
    raise_error = True

    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_llm_new_token(self, token: str, **_: object) -> None:
        self.heard.append(token)


def test_a_url_chooses_the_backend_and_the_server_the_model(server: ThreadingHTTPServer) -> None:
    settings = settings_for(server)
    assert choose_backend(settings) == "openai"
    assert load_llm(settings, lambda _: None).model_name == "served"  # type: ignore[attr-defined]


def test_tokens_stream_through_callbacks_with_their_count(server: ThreadingHTTPServer) -> None:
    listener = Listener()
    llm = load_llm(settings_for(server, max_answer_tokens=50), lambda _: None)
    reply = llm.invoke([HumanMessage("How often?")], config={"callbacks": [listener]})
    assert [word for word in listener.heard if word] == list(WORDS)
    assert reply.text == "".join(WORDS)
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["output_tokens"] == 4
    assert server.asked["max_tokens"] == 50  # type: ignore[attr-defined]
    assert server.asked["temperature"] == 0  # type: ignore[attr-defined]


def test_the_first_token_comes_with_its_log_probability(server: ThreadingHTTPServer) -> None:
    llm = load_llm(settings_for(server), lambda _: None)
    reply = llm.invoke([HumanMessage("Every 60 days?")], {"callbacks": []}, max_tokens=1, logprobs=True)
    assert reply.text == WORDS[0]
    assert reply.response_metadata["logprobs"]["content"][0]["logprob"] == -0.25


def test_counting_tokens_asks_no_network_and_guesses_high() -> None:
    from rag.llm_openai import ServedChatModel

    llm = ServedChatModel(model="any", base_url="http://127.0.0.1:9/v1", api_key="none")
    assert llm.get_num_tokens("The kettle is descaled every sixty days in hard water.") >= 12
    assert llm.get_num_tokens("水壶每六十天除垢一次") >= 10


def test_a_server_that_is_down_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ModelError, match=rf"http://127\.0\.0\.1:{port}/v1 does not answer"):
        load_llm(load_settings(llm_base_url=f"http://127.0.0.1:{port}/v1"), lambda _: None)


def test_a_server_that_fails_while_answering_is_named(server: ThreadingHTTPServer) -> None:
    llm = load_llm(settings_for(server, llm_model="broken"), lambda _: None)
    with pytest.raises(ModelError, match=r"failed: .*out of memory"):
        llm.invoke([HumanMessage("How often?")])


def test_a_refused_key_is_named(server: ThreadingHTTPServer) -> None:
    with pytest.raises(ModelError, match="RAG_LLM_API_KEY"):
        load_llm(settings_for(server, llm_api_key="wrong"), lambda _: None)


def test_the_backend_without_a_url_says_what_to_set() -> None:
    with pytest.raises(SettingError, match="RAG_LLM_BASE_URL is not set"):
        load_llm(load_settings(llm_backend="openai"), lambda _: None)
