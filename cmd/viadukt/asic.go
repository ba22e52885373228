package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/gather"
)

var asicCommand = &command{
	name: "asic", summary: "lists, extracts and merges containers of signed files (ASiC).",
	help: `A container holds files and the signatures over them. viadukt sign --container makes one, --parallel adds a signature, and viadukt verify judges
them all: none of these commands does.`,
	example: "viadukt asic list bid.asice\nviadukt asic extract bid.asice --dir bid",
	sub: []*command{
		{name: "list", summary: "lists the files of a container, and how many signatures name each.", args: "FILE",
			help:    `Whether these signatures hold is for viadukt verify to say.`,
			example: "viadukt asic list bid.asice", prepare: prepareContainerList},
		{name: "extract", summary: "writes the files of a container, all or those named, into a folder.", args: "FILE [NAME...]",
			help:    `What is there already is not written over. Files that no signature names are left out unless you name them, and told.`,
			example: "viadukt asic extract bid.asice --dir bid", prepare: prepareContainerExtract},
		{name: "merge", summary: "puts the files and signatures of several containers into one.", args: "FILE...",
			help: `The containers are of one type, and files of one name the same. Nothing is signed anew; two containers with CMS whose lists of files
differ cannot share one where both lists name the same signature file.`,
			example: "viadukt asic merge offer.asice approval.asice --out both.asice", prepare: prepareContainerMerge},
	},
}

// openContainer opens a container; close it with the file.
func openContainer(file string) (*os.File, *asic.Container, error) {
	f, size, err := openSized(file)
	if err != nil {
		return nil, nil, usage("%v", err)
	}
	c, err := asic.Open(f, size)
	if err != nil {
		f.Close()
		return nil, nil, &exit{status: statusInvalid, Code: "NOT_READ", Text: err.Error(), Where: file}
	}
	return f, c, nil
}

type containedJSON struct {
	File       string `json:"file"`
	Type       string `json:"type"`
	Name       string `json:"name"`
	Size       int64  `json:"size"`
	Content    bool   `json:"content"`    // not of the container itself
	Signatures int    `json:"signatures"` // that name it
}

// contained lists the files of a container.
func contained(file string) ([]containedJSON, error) {
	f, c, err := openContainer(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var all []*gather.Signature
	r, err := gather.OpenAt(f, info.Size(), gather.Options{})
	switch {
	case err == nil:
		all = slices.DeleteFunc(r.Signatures, func(s *gather.Signature) bool { return s.Counter != nil })
	case !errors.Is(err, gather.ErrNoSignature):
		return nil, &exit{status: statusInvalid, Code: "NOT_READ", Text: err.Error(), Where: file}
	}
	var out []containedJSON
	for _, x := range c.Files {
		j := containedJSON{File: file, Type: string(c.Type), Name: x.Name, Size: x.Size, Content: !x.Meta() && x.Name != "mimetype"}
		for _, s := range all {
			if j.Content && s.Covers(x.Name) {
				j.Signatures++
			}
		}
		out = append(out, j)
	}
	return out, nil
}

func prepareContainerList(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	return func() error {
		list, err := contained(c.values[0])
		if err != nil {
			return err
		}
		for _, j := range list {
			if c.json {
				if err := c.print(j); err != nil {
					return err
				}
				continue
			}
			what := "of the container"
			if j.Content {
				what = fmt.Sprintf("named by %d signatures", j.Signatures)
			}
			c.printf("%12d  %-24s %s\n", j.Size, what, j.Name)
		}
		return nil
	}
}

func prepareContainerExtract(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	dir := c.String("dir", "", "`folder` for the files, which is made where it is not there; default: the name of FILE without its ending")
	return func() error {
		file, names := c.values[0], c.values[1:]
		list, err := contained(file)
		if err != nil {
			return err
		}
		f, box, err := openContainer(file)
		if err != nil {
			return err
		}
		defer f.Close()
		for _, name := range names {
			if _, err := box.File(name); err != nil {
				return usage("%v", err)
			}
		}
		to := *dir
		if to == "" {
			if to = file[:len(file)-len(filepath.Ext(file))]; to == file {
				return usage("--dir is missing: a folder for the files")
			}
		}
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		root, err := os.OpenRoot(to)
		if err != nil {
			return err
		}
		defer root.Close()
		for _, j := range list {
			if len(names) > 0 && !slices.Contains(names, j.Name) || len(names) == 0 && !j.Content {
				continue
			}
			if len(names) == 0 && j.Signatures == 0 {
				fmt.Fprintf(c.p.err, "%s: left out: no signature names it\n", j.Name)
				continue
			}
			x, err := box.File(j.Name)
			if err != nil {
				return err
			}
			if err := extractFile(root, x); err != nil {
				return err
			}
			if c.json {
				err = c.print(j)
			} else {
				c.printf("%s: %d octets, named by %d signatures\n", filepath.Join(to, filepath.FromSlash(j.Name)), j.Size, j.Signatures)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// extractFile writes a file into a folder that it cannot lead out of, wholly or not at all.
func extractFile(root *os.Root, x *asic.File) error {
	name := filepath.FromSlash(x.Name)
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return usage("%s is there already: nothing is written over it", filepath.Join(root.Name(), name))
	}
	if err != nil {
		return err
	}
	r, err := x.Open()
	if err == nil {
		_, err = io.Copy(out, r)
		err = errors.Join(err, r.Close())
	}
	if err = errors.Join(err, out.Close()); err != nil {
		err = errors.Join(&exit{status: statusInvalid, Code: "NOT_READ", Text: err.Error(), Where: x.Name}, root.Remove(name))
	}
	return err
}

func prepareContainerMerge(c *call) func() error {
	c.least, c.most = 2, -1
	out := c.String("out", "", "write to this `file`")
	return func() error {
		if *out == "" {
			return usage("--out is missing: the file to write")
		}
		var all []*asic.Container
		for _, file := range c.values {
			f, box, err := openContainer(file)
			if err != nil {
				return err
			}
			defer f.Close()
			all = append(all, box)
		}
		if err := writeFile(*out, func(w io.Writer) error { return ades.Merge(w, all...) }); err != nil {
			return adesProblem(err)
		}
		r, err := gatherFile(*out, gather.Options{})
		if err != nil {
			return err
		}
		c.printf("%s: %d files, %d signatures\n", *out, len(r.Container.Data()), len(r.Signatures))
		return nil
	}
}
