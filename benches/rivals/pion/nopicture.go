//go:build !vpx

package main

import "errors"

func picture([]string) error {
	return errors.New("this was built without libvpx; build it with -tags vpx")
}
