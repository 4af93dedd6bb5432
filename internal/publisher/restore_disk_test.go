package publisher_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/faultdisk"
	"github.com/flagside/flagside/internal/publisher"
	flagsync "github.com/flagside/flagside/sync"
)

// A disk that is full in the middle of a restore is named as what it is, soon. The same restore completes once there is space.
func TestRestoreOntoAFullDisk(t *testing.T) {
	t.Parallel()
	o := house(t)
	r := governed(t, o)
	r.create("staging")
	for n := range 40 {
		r.put("staging", fmt.Sprint("large", n), flagBody("on", `,"metadata":{"x":"`+long[:6000]+`"}`), absent())
	}
	file, _ := backUp(t, publisher.Options{DataDir: o.DataDir, KeysDir: o.KeysDir}, false)
	r.stop()
	for _, pages := range []int64{8, 20, 30, 45} {
		t.Run(fmt.Sprint(pages, " pages"), func(t *testing.T) {
			t.Parallel()
			disk := faultdisk.StartForJetStream(t, smallDisk)
			to := publisher.Options{DataDir: disk.Dir(), KeysDir: o.KeysDir}
			disk.Fill(t, pages*4096)
			begin := time.Now()
			_, err := restore(t, to, file)
			if !errors.Is(err, flagsync.ErrDiskFull) && !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%v", err)
			}
			if took := time.Since(begin); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
			disk.Free(t)
			if done, err := restore(t, to, file); err != nil || done.Epochs[0].Documents != 40 {
				t.Errorf("with space: %+v, %v", done, err)
			}
		})
	}
}
