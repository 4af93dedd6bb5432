// Command report runs the tests of all attacks and reports for each whether it was repelled. It ends with
//
//	figures: attacks=N succeeded=M
//
// and fails if an attack succeeded, was skipped, or was not tried.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/flagside/flagside/internal/attacks"
)

// patience bounds all tests together.
const patience = 10 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, attacks.All())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "attacks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, all []attacks.Attack) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found := make(results)
	var problems []error
	for _, folder := range folders(all) {
		if err := found.test(ctx, folder, functions(all, folder)); err != nil {
			problems = append(problems, err)
		}
	}
	r := judge(all, found)
	problems = append(problems, r.problems()...)
	if err := r.print(out); err != nil {
		problems = append(problems, err)
	}
	for _, problem := range problems {
		if _, err := fmt.Fprintln(out, problem); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(out, "figures: attacks=%d succeeded=%d\n", len(r.tried), r.succeeded()); err != nil {
		return err
	}
	if len(problems) > 0 {
		return errors.New("not every attack was repelled, see above")
	}
	return nil
}
