// Package references finds the places in source code that name flags, so that a flag is not removed while code still asks for it.
package references
