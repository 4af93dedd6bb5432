package clustertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// server is an API server that authorizes by RBAC and has the admission plugins of a usual cluster.
type server struct {
	client // may do everything

	port, caFile string
}

// start compiles kube-apiserver and starts it with Debian's etcd. Both end with the test.
func start(t *testing.T) *server {
	t.Helper()
	if os.Getenv("FLAGSIDE_SOAK") == "" {
		t.Skip("compiles an API server, which takes half an hour once: FLAGSIDE_SOAK=1 does it")
	}
	if _, err := exec.LookPath("etcd"); err != nil {
		t.Skip("there is no etcd: Debian's package etcd-server has it")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "kube-apiserver")
	if output, err := exec.Command("go", "build", "-o", program, "k8s.io/kubernetes/cmd/kube-apiserver").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	etcd, peers := "http://"+freeAddress(t), "http://"+freeAddress(t)
	launch(t, dir, "etcd", "--data-dir="+dir+"/etcd", "--listen-client-urls="+etcd, "--advertise-client-urls="+etcd, "--listen-peer-urls="+peers,
		"--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers)

	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{client: client{base: "https://127.0.0.1:" + port, token: "test"}, port: port, caFile: dir + "/certificates/apiserver.crt"}
	write(t, dir+"/tokens", "test,test,test,system:masters\n")
	writeKey(t, dir+"/key")
	launch(t, dir, program, "--etcd-servers="+etcd, "--bind-address=127.0.0.1", "--secure-port="+port, "--cert-dir="+dir+"/certificates",
		"--endpoint-reconciler-type=none", "--token-auth-file="+dir+"/tokens", "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+dir+"/key", "--service-account-signing-key-file="+dir+"/key")
	s.await(t)
	return s
}

// await returns when the server is ready, and trusts its certificate from then on.
func (s *server) await(t *testing.T) {
	t.Helper()
	for range 600 {
		if text, err := os.ReadFile(s.caFile); err == nil && s.trust(text) {
			if code, _, err := s.send(t.Context(), "GET", "/readyz", "", nil); err == nil && code == 200 {
				return
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatal("the API server was not ready within two minutes")
}

// launch starts a server whose log is shown if the test fails.
func launch(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	file := filepath.Join(dir, filepath.Base(program)+".log")
	log, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, args...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		log.Close()
		if text, err := os.ReadFile(file); err == nil && t.Failed() {
			t.Logf("%s: %s", filepath.Base(program), text[max(0, len(text)-4000):])
		}
	})
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

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeKey makes the key that signs the tokens of service accounts.
func writeKey(t *testing.T, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
}

// namespace makes a namespace with the service account that controllers would make in it.
func (s *server) namespace(t *testing.T, name string, labels map[string]string) {
	t.Helper()
	s.apply(t, object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": labels}})
	s.apply(t, object{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "default", "namespace": name}})
}

// namespaces makes those of the examples, in which pods must be as the profile restricted wants them.
func (s *server) namespaces(t *testing.T) {
	t.Helper()
	restricted := map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
	for _, name := range []string{"flagside", "checkout", "shop-staging", "elsewhere"} {
		s.namespace(t, name, restricted)
	}
	s.namespace(t, "shop", map[string]string{"pod-security.kubernetes.io/enforce": "restricted", "flagside.dev/inject": "enabled"})
	s.namespace(t, "nodes", map[string]string{"pod-security.kubernetes.io/enforce": "privileged"})
}

// rendered returns the chart's objects for a file of values.
func rendered(t *testing.T, values string) []object {
	t.Helper()
	command := exec.Command("go", "run", "./template", "../helm/flagside/examples/"+values)
	command.Dir = "../charttest"
	output, err := command.Output()
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", values, err))
	}
	return parse(t, string(output))
}
