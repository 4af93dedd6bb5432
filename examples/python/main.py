"""An application with OpenFeature's SDK for Python. It asks the sidecar beside it over OFREP and needs nothing but its address."""

import os

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

api.set_provider_and_wait(OFREPProvider(os.environ.get("OFREP_ENDPOINT", "http://127.0.0.1:8016")))
client = api.get_client()

for email in ("ada@shop.example", "guest@example.org"):
    user = EvaluationContext(email, {"email": email})
    checkout = client.get_boolean_details("new-checkout", False, user)
    print(f"{email} new-checkout={str(checkout.value).lower()} variant={checkout.variant} reason={checkout.reason}")

# A flag that does not exist is no failure of the application: its own default applies.
missing = client.get_string_details("no-such-flag", "my default")
print(f'no-such-flag="{missing.value}" error={missing.error_code}')
