import pytest

from callscribe.engines.spacing import join_words


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], ""),
        (["hello", "there,", "you"], "hello there, you"),
        (["你", "好", "。", "世界"], "你好。世界"),
        (["ありがとう", "ございます"], "ありがとうございます"),
        (["สวัสดี", "ครับ"], "สวัสดีครับ"),
        (["안녕", "하세요"], "안녕 하세요"),
        (["我", "用", "Python", "写", "的"], "我用 Python 写的"),
        (["привет", "мир"], "привет мир"),
    ],
)
def test_words_are_joined_as_their_script_writes_them(words: list[str], line: str) -> None:
    assert join_words(words) == line
