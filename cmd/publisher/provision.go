package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/publisher/provision"
)

// maxPlan bounds the file of a plan, in bytes: a ConfigMap has no more.
const maxPlan = 1 << 20

// provisioning is what "provision" is asked for.
type provisioning struct {
	file   string
	dryRun bool
	api    kubernetes.Options
	plan   provision.Plan
}

func provisionCommand() commandline.Invocation {
	var p provisioning
	set := config.NewSet("publisher provision", "Makes the Secrets that an installation in Kubernetes needs, and keeps those that are there: a CA and "+
		"certificates, keys, an API token, NATS users and the credentials of sidecars. The Helm chart runs it in a Job. Certificates are renewed when less "+
		"than a third of their life is left. Run it again to complete what was interrupted.")
	set.File(&p.file, "file", "", "JSON file that says which Secrets are needed").Require()
	set.Bool(&p.dryRun, "dry-run", false, "say what would be done, let the API server check it, and write nothing")
	declareKubernetes(set, &p.api)
	return commandline.Invocation{
		Set: set, Changes: true,
		Check: p.check,
		Run:   p.run,
	}
}

// check reads the plan.
func (p *provisioning) check() error {
	text, err := readPlan(p.file)
	if err != nil {
		return fmt.Errorf("--file: %w", err)
	}
	if p.plan, err = provision.Parse(text); err != nil {
		return fmt.Errorf("--file: %s: %w", p.file, err)
	}
	if p.api.URL == "" {
		return nil
	}
	if err := p.api.Validate(); err != nil {
		return fmt.Errorf("--kubernetes-url: %w", err)
	}
	return nil
}

func readPlan(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPlan+1))
	if err == nil && len(text) > maxPlan {
		err = fmt.Errorf("%s has more than %d bytes", file, maxPlan)
	}
	return text, err
}

func (p *provisioning) run(ctx context.Context, t commandline.Terminal) error {
	o, err := apiServer(p.api, t.Environ)
	if err != nil {
		return err
	}
	o.DryRun = p.dryRun
	client, err := kubernetes.New(o)
	if err != nil {
		return err
	}
	defer client.Close()
	var printing error
	err = provision.Run(ctx, p.plan, provision.Options{
		Store: client, DryRun: p.dryRun, Now: time.Now,
		Report: func(result provision.Result) {
			_, err := fmt.Fprintln(t.Stdout, result)
			printing = errors.Join(printing, err)
		},
	})
	return errors.Join(err, printing)
}
