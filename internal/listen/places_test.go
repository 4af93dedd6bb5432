package listen_test

import (
	"net"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flagside/flagside/internal/listen"
)

func holderAt(ip string) listen.Holder {
	return listen.HolderOf(from{addr: &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}})
}

// taking counts what a holder gets and loses.
type taking struct {
	holder listen.Holder
	places []*listen.Place
	lost   int
}

func (k *taking) take(from *listen.Places) bool {
	place, ok := from.Take(k.holder, func() { k.lost++ })
	if ok {
		k.places = append(k.places, place)
	}
	return ok
}

func (k *taking) takeAll(from *listen.Places, most int) (taken int) {
	for taken < most && k.take(from) {
		taken++
	}
	return taken
}

func TestPlacesGoToWhoHasFewer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := listen.NewPlaces(40, 0)
		greedy := &taking{holder: holderAt("127.0.0.1").Named("greedy")}
		if got := greedy.takeAll(p, 40); got != 40 {
			t.Fatalf("a client on this machine gets %d of 40 free places", got)
		}
		modest := &taking{holder: holderAt("127.0.0.1").Named("modest")}
		machine := &taking{holder: holderAt("10.0.0.1")}
		if got := modest.takeAll(p, 5); got != 5 || greedy.lost != 5 {
			t.Errorf("another gets %d of 5 places, and the greedy one loses %d", got, greedy.lost)
		}
		if got := machine.takeAll(p, 40); got != 10 || greedy.lost != 15 {
			t.Errorf("another machine gets %d places, want its share of 10, and the greedy one loses %d", got, greedy.lost)
		}
		if got := greedy.takeAll(p, 100); got != 100 || greedy.lost != 115 || modest.lost+machine.lost != 0 {
			t.Errorf("the greedy one comes back %d times and loses %d places, the others %d", got, greedy.lost, modest.lost+machine.lost)
		}
		for _, place := range append(greedy.places, greedy.places...) { // what it has lost, and twice
			place.Release()
		}
		if got := modest.takeAll(p, 40); got != 40 || modest.lost != 15 {
			t.Errorf("of 25 places that are free %d are taken, and %d lost", got, modest.lost)
		}
	})
}

// A client that cannot be told apart from the greedy one gets the place that was idle for longest, and none while all are in use.
func TestIdlePlacesMakeRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := listen.NewPlaces(20, time.Minute)
		all := &taking{holder: holderAt("127.0.0.1")}
		all.takeAll(p, 20)
		if all.take(p) {
			t.Error("a place that was just taken is idle")
		}
		time.Sleep(time.Minute)
		for _, place := range all.places[1:] {
			place.Use()
		}
		if !all.take(p) || all.take(p) || all.lost != 1 {
			t.Errorf("%d places make room, want the idle one", all.lost)
		}
	})
}

// Many that have one place each are no reason to end streams for other machines, but each client on this machine gets one.
func TestPlacesOfMany(t *testing.T) {
	t.Parallel()
	p := listen.NewPlaces(20, 0)
	for i := range 20 {
		(&taking{holder: listen.HolderOf(from{addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, byte(i))}})}).take(p)
	}
	if (&taking{holder: holderAt("10.0.1.1")}).take(p) {
		t.Error("one more machine takes a place of another")
	}
	if !(&taking{holder: holderAt("127.0.0.1")}).take(p) {
		t.Error("a client on this machine gets no place")
	}
}

// The processes at a Unix socket are told apart by the system, whatever they say.
func TestProcessesHoldPlaces(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("processes are told apart on Linux")
	}
	l := open(t, listen.Options{Addr: "unix:" + filepath.Join(t.TempDir(), "s"), MaxConnections: 1})
	client, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	one := listen.HolderOf(c)
	if one != one.Named("another") || one == holderAt("127.0.0.1") {
		t.Errorf("the process is held for %+v", one)
	}
}
