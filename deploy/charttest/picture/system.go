package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// sidecars are how many there are. The last follows the log through a cable that can be cut.
const sidecars = 4

// system is a publisher, sidecars of the environment shop, and the Prometheus that scrapes them.
type system struct {
	dir                     string
	running                 []*exec.Cmd
	admin, nats, prometheus string
	ofrep, management       [sidecars]string
	cable                   *cable
}

func startSystem(ctx context.Context) (*system, error) {
	dir, err := os.MkdirTemp("", "picture-*")
	if err != nil {
		return nil, err
	}
	s := &system{dir: dir}
	if err := s.start(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *system) start(ctx context.Context) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", s.dir, "./cmd/publisher", "./cmd/sidecar", "./cmd/flagside")
	build.Dir, build.Stderr = "../..", os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("the programs do not compile: %w", err)
	}
	if err := s.reserve(); err != nil {
		return err
	}
	if err := s.run(filepath.Join(s.dir, "publisher"), "serve", "--data-dir="+s.dir+"/log", "--admin-addr="+s.admin, "--nats-addr="+s.nats); err != nil {
		return err
	}
	if err := s.await(ctx, "http://"+s.admin+"/readyz"); err != nil {
		return err
	}
	if err := s.provision(ctx); err != nil {
		return err
	}
	for i := range sidecars {
		if err := s.startSidecar(ctx, i); err != nil {
			return err
		}
	}
	return s.startPrometheus(ctx)
}

// reserve finds ports that are free.
func (s *system) reserve() error {
	to := []*string{&s.admin, &s.nats, &s.prometheus}
	for i := range sidecars {
		to = append(to, &s.ofrep[i], &s.management[i])
	}
	for _, one := range to {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		*one = l.Addr().String()
	}
	var err error
	s.cable, err = lay(s.nats)
	return err
}

func (s *system) startSidecar(ctx context.Context, i int) error {
	nats, memory := s.nats, "65536"
	switch i {
	case sidecars - 1:
		nats = s.cable.address()
	case 0:
		memory = "1024" // so that it sheds when many ask it at once
	}
	err := s.run(filepath.Join(s.dir, "sidecar"), "--environment=shop", "--nats=nats://"+nats, "--trust-file="+s.dir+"/log/trust", "--in-flight-memory="+memory,
		"--ofrep-addr="+s.ofrep[i], "--management-addr="+s.management[i], "--flagd-addr=off", "--flagd-sync-addr=off", "--ready-when=fresh:30s")
	if err != nil {
		return err
	}
	return s.await(ctx, "http://"+s.management[i]+"/readyz")
}

// startPrometheus gives targets the labels that they have in a cluster.
func (s *system) startPrometheus(ctx context.Context) error {
	var out strings.Builder
	fmt.Fprintf(&out, `global: {scrape_interval: %s}
scrape_configs:
- job_name: publisher
  authorization: {credentials_file: %q}
  static_configs: [{targets: [%q], labels: {instance: "flags:8017", namespace: flagside}}]
- job_name: sidecar
  static_configs:
`, scrapeInterval, s.dir+"/log/admin-token", s.admin)
	for i, address := range s.management {
		fmt.Fprintf(&out, "  - {targets: [%q], labels: {instance: \"shop-%d:8014\", namespace: shop}}\n", address, i+1)
	}
	file := filepath.Join(s.dir, "prometheus.yaml")
	if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
		return err
	}
	if _, err := exec.LookPath("prometheus"); err != nil {
		return fmt.Errorf("%w: install Debian's package prometheus", err)
	}
	if err := s.run("prometheus", "--config.file="+file, "--storage.tsdb.path="+s.dir+"/metrics", "--web.listen-address="+s.prometheus); err != nil {
		return err
	}
	return s.await(ctx, "http://"+s.prometheus+"/-/ready")
}

// run starts a program, whose log is kept in a file beside the others until all end.
func (s *system) run(program string, args ...string) error {
	log, err := os.Create(s.log(len(s.running)))
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(program, args...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return err
	}
	s.running = append(s.running, command)
	return nil
}

func (s *system) log(n int) string { return filepath.Join(s.dir, fmt.Sprintf("%d.log", n)) }

// flagside runs the command line with the first token.
func (s *system) flagside(ctx context.Context, stdin string, args ...string) error {
	command := exec.CommandContext(ctx, filepath.Join(s.dir, "flagside"), args...)
	command.Env = append(os.Environ(), "FLAGSIDE_ADMIN=http://"+s.admin, "FLAGSIDE_TOKEN_FILE="+s.dir+"/log/admin-token", "FLAGSIDE_ENVIRONMENT=shop", "HOME="+s.dir)
	command.Stdin = strings.NewReader(stdin)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("flagside %s: %w: %s", strings.Join(args, " "), err, output)
	}
	return nil
}

// stop ends everything, the newest first, and removes its files.
func (s *system) stop() {
	for _, program := range slices.Backward(s.running) {
		_ = program.Process.Signal(os.Interrupt)
		_ = program.Wait()
	}
	if s.cable != nil {
		s.cable.cut()
	}
	_ = os.RemoveAll(s.dir)
}

// await asks until the answer is yes, for a minute. The program that was started last is the one that is asked.
func (s *system) await(ctx context.Context, address string) error {
	for range 300 {
		if ready(ctx, address) {
			return nil
		}
		if !sleep(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
	log, err := os.ReadFile(s.log(len(s.running) - 1))
	return fmt.Errorf("%s was not ready within a minute: %s %w", address, log, err)
}

func ready(ctx context.Context, address string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
