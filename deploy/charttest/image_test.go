package charttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// images is the folder that build/image.sh writes to. Starting them needs root, for a root directory that cannot be written.
func images(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../dist/images")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "sidecar-"+runtime.GOARCH+".tar")); err != nil {
		t.Skip("there are no images: make image builds them")
	}
	if os.Getuid() != 0 {
		t.Skip("images are started read-only and as another user, which only root can do here")
	}
	if err := exec.Command("unshare", "--mount", "true").Run(); err != nil {
		t.Skipf("images are started in a mount namespace of their own, which this machine does not allow: %v", err)
	}
	return dir
}

// container is an unpacked image with directories mounted into it.
type container struct {
	root   string
	mounts map[string]string // a path in the container to a directory outside
}

func unpackImage(t *testing.T, program string, mounts map[string]string) *container {
	t.Helper()
	c := &container{root: t.TempDir(), mounts: mounts}
	config, err := UnpackImage(filepath.Join(images(t), program+"-"+runtime.GOARCH+".tar"), c.root)
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" || config.Config.Entrypoint[0] != "/"+program || config.Architecture != runtime.GOARCH {
		t.Errorf("the image is %+v", config)
	}
	for _, label := range []string{"title", "description", "version", "revision", "licenses", "source"} {
		if config.Config.Labels["org.opencontainers.image."+label] == "" {
			t.Errorf("the image has no label %s", label)
		}
	}
	for inside, outside := range mounts {
		if err := errors.Join(os.MkdirAll(filepath.Join(c.root, inside), 0o755), os.Chown(outside, 65532, 65532), os.Chmod(outside, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// command runs a program of the image as the image's user, in a mount namespace in which the image cannot be written.
func (c *container) command(ctx context.Context, args ...string) *exec.Cmd {
	script := fmt.Sprintf("mount --make-rprivate / && mount --bind %[1]q %[1]q && mount -o remount,ro,bind %[1]q", c.root)
	for inside, outside := range c.mounts {
		script += fmt.Sprintf(" && mount --bind %q %q", outside, filepath.Join(c.root, inside))
	}
	script += ` && exec chroot --userspec=65532:65532 "$0" "$@"`
	command := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "sh", "-c", script, c.root}, args...)...)
	command.Env = []string{}
	return command
}

func (c *container) output(t *testing.T, args ...string) string {
	t.Helper()
	output, err := c.command(t.Context(), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", args, err, output)
	}
	return string(output)
}

// start starts a server, which is ended with the test if it has not ended by itself.
func (c *container) start(t *testing.T, log *bytes.Buffer, args ...string) *exec.Cmd {
	t.Helper()
	command := c.command(context.Background(), args...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	return command
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await asks until the answer is yes, for a minute.
func await(t *testing.T, what string, log *bytes.Buffer, yes func() bool) {
	t.Helper()
	for range 600 {
		if yes() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s did not happen: %s", what, log)
}

// The images start with a root directory that cannot be written and as a user without rights, and answer; a sidecar that is told to end answers
// what it was asked.
func TestImages(t *testing.T) {
	data, last := t.TempDir(), t.TempDir()
	publisher := unpackImage(t, "publisher", map[string]string{"data": data})
	sidecar := unpackImage(t, "sidecar", map[string]string{"data": data, "last": last})
	admin, nats, ofrep, management := freeAddress(t), freeAddress(t), freeAddress(t), freeAddress(t)

	var log bytes.Buffer
	publisher.start(t, &log, "/publisher", "serve", "--data-dir=/data", "--admin-addr="+admin, "--nats-addr="+nats)
	await(t, "a ready publisher", &log, func() bool {
		return publisher.command(t.Context(), "/publisher", "readyz", "--admin-addr="+admin).Run() == nil
	})
	cli := []string{"--admin=http://" + admin, "--token-file=/data/admin-token", "--reason=test"}
	publisher.output(t, append([]string{"/flagside", "environment", "create", "trial"}, cli...)...)
	publisher.output(t, append([]string{"/flagside", "flag", "create", "new-checkout", "--bool", "-e", "trial"}, cli...)...)

	var other bytes.Buffer
	running := sidecar.start(t, &other, "/sidecar", "--environment=trial", "--nats=nats://"+nats, "--trust-file=/data/trust", "--data-dir=/last",
		"--ofrep-addr="+ofrep, "--management-addr="+management, "--flagd-addr=off", "--flagd-sync-addr=off", "--ready-when=live")
	await(t, "a ready sidecar", &other, func() bool {
		return sidecar.command(t.Context(), "/sidecar", "readyz", "--management-addr="+management).Run() == nil
	})

	answered, failed := load(t, "http://"+ofrep, running)
	if err := running.Wait(); err != nil {
		t.Errorf("the sidecar ended with %v: %s", err, &other)
	}
	t.Logf("%d answers, %d failures around SIGTERM", answered, failed)
	if failed > 0 || answered < 1000 {
		t.Errorf("%d of %d requests failed: %s", failed, answered+failed, &other)
	}
}

// load asks with eight connections, ends the server in the midst of it, and counts answers and failures. An answer that says that the connection
// ends is the last one; a connection that is refused was none.
func load(t *testing.T, endpoint string, running *exec.Cmd) (answered, failed int64) {
	t.Helper()
	var ok, bad atomic.Int64
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			for {
				response, err := client.Post(endpoint+"/ofrep/v1/evaluate/flags/new-checkout", "application/json", strings.NewReader(`{"context":{"targetingKey":"ada"}}`))
				if refused(err) {
					return
				}
				if err != nil {
					bad.Add(1)
					t.Log(err)
					return
				}
				_, err = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != http.StatusOK {
					bad.Add(1)
					t.Log(response.Status, err)
					return
				}
				ok.Add(1)
				if response.Close {
					return
				}
			}
		})
	}
	for ok.Load() < 1000 && bad.Load() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	if err := running.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	workers.Wait()
	return ok.Load(), bad.Load()
}

// refused reports whether a connection was not made, or ended before anything was sent on it.
func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED)
}
