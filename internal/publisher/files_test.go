package publisher_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/flagside/flagside/internal/faultdisk"
	"github.com/flagside/flagside/internal/fileaccess"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/internal/publisher/natsserver"
)

// A data directory, a token or a policy that other users of the machine could have written is not used.
func TestFilesThatOthersMayWrite(t *testing.T) {
	t.Parallel()
	planted := func(t *testing.T, name string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o606); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for name, spoil := range map[string]func(t *testing.T, o *publisher.Options){
		"data directory": func(t *testing.T, o *publisher.Options) {
			t.Helper()
			if err := os.Chmod(o.DataDir, 0o777); err != nil {
				t.Fatal(err)
			}
		},
		"admin token": func(t *testing.T, o *publisher.Options) { t.Helper(); o.AdminTokenFile = planted(t, "token") },
		"policy":      func(t *testing.T, o *publisher.Options) { t.Helper(); o.Policy = planted(t, "policy.cedar") },
		"issuers":     func(t *testing.T, o *publisher.Options) { t.Helper(); o.Issuers = planted(t, "issuers.json") },
		"NATS users": func(t *testing.T, o *publisher.Options) {
			t.Helper()
			o.NATSUsers = planted(t, "users.json")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := publisher.Options{DataDir: t.TempDir(), NATSAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0"}
			spoil(t, &o)
			p, err := publisher.New(o)
			if err == nil {
				t.Fatal("it is used", p.Close())
			}
			if !errors.Is(err, fileaccess.ErrWritable) {
				t.Errorf("error %v", err)
			}
			t.Log(err)
		})
	}
}

// A file that someone put into the place of one that is to be made is not written through.
func TestTheLockIsNoLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := filepath.Join(t.TempDir(), "target")
	if err := os.Symlink(target, filepath.Join(dir, "publisher.lock")); err != nil {
		t.Fatal(err)
	}
	if p, err := publisher.New(publisher.Options{DataDir: dir, NATSAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0"}); err == nil {
		t.Error("a link is taken for the lock", p.Close())
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("the target of the link was made")
	}
}

// The root of a volume that everybody may write to, as some storage classes of Kubernetes make it, is a data directory where keys, token and
// users lie elsewhere.
func TestTheRootOfAVolumeIsADataDirectory(t *testing.T) {
	t.Parallel()
	volume := faultdisk.StartForJetStream(t, 16<<20).Dir()
	if err := os.Chmod(volume, 0o777); err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	if _, err := keys.Init(filepath.Join(elsewhere, "keys")); err != nil {
		t.Fatal(err)
	}
	users := filepath.Join(elsewhere, "users.json")
	if err := natsserver.WriteUsers(users, nil); err != nil {
		t.Fatal(err)
	}
	o := publisher.Options{
		DataDir: volume, KeysDir: filepath.Join(elsewhere, "keys"), NATSUsers: users, AdminTokenFile: "off",
		NATSAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0",
	}
	p, err := publisher.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	o.AdminTokenFile = ""
	if p, err := publisher.New(o); !errors.Is(err, fileaccess.ErrWritable) {
		t.Errorf("with the token in it: %v", err)
		if err == nil {
			p.Close()
		}
	}
}
