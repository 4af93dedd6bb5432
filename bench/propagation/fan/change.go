package fan

import (
	"fmt"
	"time"
)

// Key is the key of the flag that is changed.
const Key = "propagation"

// WarmUp is how many first changes are not counted: they open connections.
const WarmUp = 20

// Document returns the flag document of the i-th change, whose value is i.
func Document(i int) []byte {
	return fmt.Appendf(nil, `{"state":"ENABLED","variants":{"v":%d},"defaultVariant":"v"}`, i)
}

// Pause spreads the changes unevenly over time, so that they do not fall in
// step with any period of the programs.
func Pause(i int) { time.Sleep(time.Duration(5+i%7) * time.Millisecond) }
