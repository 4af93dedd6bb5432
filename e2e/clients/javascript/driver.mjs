// What the drivers of both SDKs share: they carry out commands, {"id", "op", …}, and report answers with the same id and, whenever the
// provider tells of something, {"event", "flags"}.

const methods = {
  boolean: 'getBooleanDetails',
  string: 'getStringDetails',
  integer: 'getNumberDetails', // JavaScript has one type of number
  float: 'getNumberDetails',
  object: 'getObjectDetails',
};

// listen reports what the provider tells.
export function listen(client, events, report) {
  const names = {
    ready: events.Ready,
    error: events.Error,
    stale: events.Stale,
    changed: events.ConfigurationChanged,
  };
  for (const [name, event] of Object.entries(names)) {
    client.addHandler(event, (details) => report({ event: name, flags: details?.flagsChanged ?? [], message: details?.message }));
  }
}

// perform carries out one command. setContext is for SDKs whose context is global, and null for those that take it with each call.
export async function perform(client, setContext, command) {
  if (command.op !== 'evaluate') {
    throw new Error(`unknown command ${command.op}`);
  }
  const evaluate = client[methods[command.type]].bind(client);
  if (setContext) {
    await setContext(command.context);
    return answer(evaluate(command.key, command.default));
  }
  return answer(await evaluate(command.key, command.default, command.context));
}

function answer(details) {
  return {
    value: details.value,
    variant: details.variant,
    reason: details.reason,
    errorCode: details.errorCode,
    errorMessage: details.errorMessage,
  };
}
