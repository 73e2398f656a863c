from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoder.server.rpc import ERRORS, Code, RpcError, error_reply, parse_request

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON.map(json.dumps) | st.text())
def test_whatever_is_sent_is_a_request_or_a_clear_error(text: str) -> None:
    try:
        request = parse_request(text)
    except RpcError as error:
        answer = json.loads(error_reply(error))
        assert answer["error"]["code"] in {Code.PARSE_ERROR, Code.INVALID_REQUEST}
        assert answer["error"]["message"]
    else:
        assert request.jsonrpc == "2.0"


def test_the_id_comes_back_with_an_error() -> None:
    with pytest.raises(RpcError) as caught:
        parse_request('{"jsonrpc":"2.0","id":"a","method":5}')
    assert json.loads(error_reply(caught.value))["id"] == "a"


def test_deep_nesting_is_no_crash() -> None:
    with pytest.raises(RpcError):
        parse_request("[" * 60000)


def test_every_code_is_explained() -> None:
    assert set(ERRORS) == set(Code)
