// Command go is an application that evaluates flags by itself, with the in-process provider of flagd, and tells the sidecar how often.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"

	flagd "github.com/open-feature/go-sdk-contrib/providers/flagd/pkg"
	"github.com/open-feature/go-sdk/openfeature"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	host, port, err := net.SplitHostPort(os.Getenv("FLAGD_SYNC_ENDPOINT"))
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return err
	}
	provider, err := flagd.NewProvider(flagd.WithInProcessResolver(), flagd.WithHost(host), flagd.WithPort(uint16(number)))
	if err != nil {
		return err
	}
	if err := openfeature.SetProviderWithContextAndWait(ctx, provider); err != nil {
		return err
	}
	defer openfeature.Shutdown()
	hook := newUsageHook()
	client := openfeature.NewDefaultClient()
	client.AddHooks(hook)
	for _, email := range []string{"ada@shop.example", "guest@example.org"} {
		user := openfeature.NewEvaluationContext(email, map[string]any{"email": email})
		checkout, err := client.BooleanValueDetails(ctx, "new-checkout", false, user)
		if err != nil {
			return err
		}
		fmt.Printf("%s new-checkout=%t variant=%s reason=%s\n", email, checkout.Value, checkout.Variant, checkout.Reason)
	}
	missing, _ := client.StringValueDetails(ctx, "no-such-flag", "my default", openfeature.EvaluationContext{})
	fmt.Printf("no-such-flag=%q error=%s\n", missing.Value, missing.ErrorCode)
	return hook.tell(ctx, os.Getenv("OFREP_ENDPOINT"))
}
