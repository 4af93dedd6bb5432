"""The Python driver: driver.py MODE ADDRESS, commands on standard input, reports on standard output, one JSON object a line."""

import json
import sys
import threading

from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent

METHODS = {
    "boolean": "get_boolean_details",
    "string": "get_string_details",
    "integer": "get_integer_details",
    "float": "get_float_details",
    "object": "get_object_details",
}
EVENTS = {
    "ready": ProviderEvent.PROVIDER_READY,
    "error": ProviderEvent.PROVIDER_ERROR,
    "stale": ProviderEvent.PROVIDER_STALE,
    "changed": ProviderEvent.PROVIDER_CONFIGURATION_CHANGED,
}
writing = threading.Lock()  # events come from threads of the provider


def report(message):
    with writing:
        print(json.dumps(message), flush=True)


def new_provider(mode, address):
    if mode == "ofrep":
        return OFREPProvider("http://" + address)
    host, port = address.split(":")
    resolver = ResolverType.RPC if mode == "rpc" else ResolverType.IN_PROCESS
    # A machine that starts many programs at once needs more than the half second that is usual.
    return FlagdProvider(host=host, port=int(port), resolver_type=resolver, deadline_ms=5000)


def listen(client):
    for name, event in EVENTS.items():

        def handler(details, name=name):
            report({"event": name, "flags": details.flags_changed or [], "message": details.message or ""})

        client.add_handler(event, handler)


def perform(client, command):
    attributes = dict(command["context"])
    context = EvaluationContext(attributes.pop("targetingKey", None), attributes)
    details = getattr(client, METHODS[command["type"]])(command["key"], command["default"], context)
    return {
        "value": details.value,
        "variant": details.variant or "",
        "reason": details.reason or "",
        "errorCode": details.error_code or "",
        "errorMessage": details.error_message or "",
    }


def main(mode, address):
    client = api.get_client()
    listen(client)
    try:
        api.set_provider_and_wait(new_provider(mode, address))
        report({"event": "started"})
    except Exception as error:  # whatever it is, it is the outcome
        report({"event": "failed", "message": repr(error)})
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = perform(client, command)
        except Exception as error:
            answer = {"failure": repr(error)}
        report({"id": command["id"], **answer})


main(*sys.argv[1:])
