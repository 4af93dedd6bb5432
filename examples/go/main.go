// Command go is an application with OpenFeature's Go SDK. It asks the sidecar beside it over OFREP and needs nothing but its address.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/open-feature/go-sdk/openfeature"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	endpoint := os.Getenv("OFREP_ENDPOINT")
	if endpoint == "" {
		endpoint = "http://127.0.0.1:8016"
	}
	if err := openfeature.SetProviderWithContextAndWait(ctx, newTrackingProvider(endpoint)); err != nil {
		return err
	}
	defer openfeature.Shutdown()
	client := openfeature.NewDefaultClient()
	for _, email := range []string{"ada@shop.example", "guest@example.org"} {
		user := openfeature.NewEvaluationContext(email, map[string]any{"email": email})
		checkout, err := client.BooleanValueDetails(ctx, "new-checkout", false, user)
		if err != nil {
			return err
		}
		fmt.Printf("%s new-checkout=%t variant=%s reason=%s\n", email, checkout.Value, checkout.Variant, checkout.Reason)
		client.Track(ctx, "visit", user, openfeature.NewTrackingEventDetails(1))
	}
	// A flag that does not exist is no failure of the application: its own default applies.
	missing, err := client.StringValueDetails(ctx, "no-such-flag", "my default", openfeature.EvaluationContext{})
	fmt.Printf("no-such-flag=%q error=%s\n", missing.Value, missing.ErrorCode)
	if err == nil {
		return fmt.Errorf("no-such-flag exists")
	}
	return nil
}
