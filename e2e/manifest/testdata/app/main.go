// Command app asks for flags by accessors that OpenFeature's command line has generated from what it pulled.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/open-feature/go-sdk-contrib/providers/ofrep"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/flagside/flagside/e2e/manifest/app/flags"
)

func main() {
	ctx := context.Background()
	if err := openfeature.SetProviderWithContextAndWait(ctx, ofrep.NewProvider(os.Getenv("OFREP_ENDPOINT"))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	gold := openfeature.NewEvaluationContext("ada", map[string]any{"plan": "gold"})
	checkout, err := flags.NewCheckout.ValueWithDetails(ctx, gold)
	fmt.Println("new-checkout", checkout.Value, checkout.Variant, checkout.Reason, err)
	fmt.Println("greeting", flags.Greeting.Value(ctx, gold))
	fmt.Println("most.results", flags.MostResults.Value(ctx, gold))
	fmt.Println("rate", flags.Rate.Value(ctx, gold))
	fmt.Println("limits", flags.Limits.Value(ctx, gold))
	fmt.Println("banner", flags.Banner.Value(ctx, gold))
	fmt.Println("forgotten", flags.Forgotten.Value(ctx, gold))
	fmt.Println("guarded", flags.Guarded.Value(ctx, gold))
}
