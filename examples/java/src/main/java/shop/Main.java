package shop;

import dev.openfeature.contrib.providers.ofrep.OfrepProvider;
import dev.openfeature.contrib.providers.ofrep.OfrepProviderOptions;
import dev.openfeature.sdk.Client;
import dev.openfeature.sdk.ImmutableContext;
import dev.openfeature.sdk.OpenFeatureAPI;
import dev.openfeature.sdk.Value;
import java.util.Map;

/** An application with OpenFeature's SDK for Java. It asks the sidecar beside it over OFREP and needs nothing but its address. */
public final class Main {
    public static void main(String[] arguments) throws Exception {
        String sidecar = System.getenv().getOrDefault("OFREP_ENDPOINT", "http://127.0.0.1:8016");
        OpenFeatureAPI api = OpenFeatureAPI.getInstance();
        api.setProviderAndWait(OfrepProvider.constructProvider(OfrepProviderOptions.builder().baseUrl(sidecar).build()));
        Client client = api.getClient();

        for (String email : new String[] {"ada@shop.example", "guest@example.org"}) {
            var user = new ImmutableContext(email, Map.of("email", new Value(email)));
            var checkout = client.getBooleanDetails("new-checkout", false, user);
            System.out.printf("%s new-checkout=%b variant=%s reason=%s%n", email, checkout.getValue(), checkout.getVariant(), checkout.getReason());
        }

        // A flag that does not exist is no failure of the application: its own default applies.
        var missing = client.getStringDetails("no-such-flag", "my default");
        System.out.printf("no-such-flag=\"%s\" error=%s%n", missing.getValue(), missing.getErrorCode());
        api.shutdown();
    }

    private Main() {}
}
