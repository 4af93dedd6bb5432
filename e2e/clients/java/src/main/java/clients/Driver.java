package clients;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.openfeature.contrib.providers.flagd.Config;
import dev.openfeature.contrib.providers.flagd.FlagdOptions;
import dev.openfeature.contrib.providers.flagd.FlagdProvider;
import dev.openfeature.contrib.providers.ofrep.OfrepProvider;
import dev.openfeature.contrib.providers.ofrep.OfrepProviderOptions;
import dev.openfeature.sdk.Client;
import dev.openfeature.sdk.EvaluationContext;
import dev.openfeature.sdk.FeatureProvider;
import dev.openfeature.sdk.FlagEvaluationDetails;
import dev.openfeature.sdk.ImmutableContext;
import dev.openfeature.sdk.ImmutableStructure;
import dev.openfeature.sdk.OpenFeatureAPI;
import dev.openfeature.sdk.ProviderEvent;
import dev.openfeature.sdk.Value;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The Java driver: Driver MODE ADDRESS, commands on standard input, reports on standard output, one JSON object a line. */
public final class Driver {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    public static void main(String[] arguments) throws Exception {
        Client client = OpenFeatureAPI.getInstance().getClient();
        listen(client);
        try {
            OpenFeatureAPI.getInstance().setProviderAndWait(provider(arguments[0], arguments[1]));
            report(Map.of("event", "started"));
        } catch (Exception error) {
            report(Map.of("event", "failed", "message", error.toString()));
        }
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = lines.readLine()) != null; ) {
            JsonNode command = JSON.readTree(line);
            Map<String, Object> answer;
            try {
                answer = answer(evaluate(client, command));
            } catch (Exception error) {
                answer = new HashMap<>(Map.of("failure", error.toString()));
            }
            answer.put("id", command.get("id"));
            report(answer);
        }
        System.exit(0);
    }

    private static FeatureProvider provider(String mode, String address) {
        if (mode.equals("ofrep")) {
            return OfrepProvider.constructProvider(OfrepProviderOptions.builder().baseUrl("http://" + address).build());
        }
        // A machine that starts many programs at once needs more than the half second that is usual.
        var options = FlagdOptions.builder().deadline(5000).resolverType(mode.equals("rpc") ? Config.Resolver.RPC : Config.Resolver.IN_PROCESS);
        if (address.startsWith("unix:")) {
            return new FlagdProvider(options.socketPath(address.substring("unix:".length())).build());
        }
        String[] parts = address.split(":");
        return new FlagdProvider(options.host(parts[0]).port(Integer.parseInt(parts[1])).build());
    }

    private static void listen(Client client) {
        Map<String, ProviderEvent> events = Map.of(
                "ready", ProviderEvent.PROVIDER_READY,
                "error", ProviderEvent.PROVIDER_ERROR,
                "stale", ProviderEvent.PROVIDER_STALE,
                "changed", ProviderEvent.PROVIDER_CONFIGURATION_CHANGED);
        events.forEach((name, event) -> client.on(event, details -> {
            List<String> flags = details.getFlagsChanged() == null ? List.of() : details.getFlagsChanged();
            String message = details.getMessage() == null ? "" : details.getMessage();
            report(Map.of("event", name, "flags", flags, "message", message));
        }));
    }

    private static synchronized void report(Map<String, ?> message) {
        try {
            OUT.println(JSON.writeValueAsString(message));
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    private static FlagEvaluationDetails<?> evaluate(Client client, JsonNode command) throws Exception {
        String key = command.get("key").asText();
        JsonNode fallback = command.get("default");
        EvaluationContext context = context(command.get("context"));
        return switch (command.get("type").asText()) {
            case "boolean" -> client.getBooleanDetails(key, fallback.asBoolean(), context);
            case "string" -> client.getStringDetails(key, fallback.asText(), context);
            case "integer" -> client.getIntegerDetails(key, fallback.asInt(), context);
            case "float" -> client.getDoubleDetails(key, fallback.asDouble(), context);
            case "object" -> client.getObjectDetails(key, value(fallback), context);
            default -> throw new IllegalArgumentException("unknown type in " + command);
        };
    }

    private static EvaluationContext context(JsonNode attributes) {
        var members = new HashMap<>(value(attributes).asStructure().asMap());
        Value targetingKey = members.remove("targetingKey");
        return targetingKey == null ? new ImmutableContext(members) : new ImmutableContext(targetingKey.asString(), members);
    }

    /** Makes a value of the SDK. A JSON null becomes none. */
    private static Value value(JsonNode node) {
        return Value.objectToValue(JSON.convertValue(node, Object.class));
    }

    private static Map<String, Object> answer(FlagEvaluationDetails<?> details) {
        var answer = new HashMap<String, Object>();
        Object value = details.getValue();
        answer.put("value", value instanceof Value of ? new ImmutableStructure().convertValue(of) : value);
        answer.put("variant", details.getVariant());
        answer.put("reason", details.getReason());
        answer.put("errorCode", details.getErrorCode());
        answer.put("errorMessage", details.getErrorMessage());
        return answer;
    }

    private Driver() {}
}
