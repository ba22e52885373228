package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is a file that belongs to a configuration.
type File struct {
	Path   string // absolute
	Secret bool   // a private key, a password or a token
}

// Files lists the configuration file, the files that it includes and the files that they name and that are there, each
// once. What the node itself writes, and folders, are no part of it.
func (c *Config) Files() []File {
	l := fileList{seen: map[string]int{}}
	l.add(c.file, false)
	l.value(reflect.ValueOf(c).Elem(), "")
	if len(c.PModeFiles) == 0 {
		l.add(c.PModeFile(), false)
	}
	if r, err := c.Rollover(); err == nil {
		l.value(reflect.ValueOf(r).Elem(), "")
	}
	return l.files
}

type fileList struct {
	files []File
	seen  map[string]int
}

func (l *fileList) add(path string, secret bool) {
	path, err := filepath.Abs(path)
	if err != nil {
		return
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return
	}
	if i, ok := l.seen[path]; ok {
		l.files[i].Secret = l.files[i].Secret || secret
		return
	}
	l.seen[path] = len(l.files)
	l.files = append(l.files, File{path, secret})
}

// secretKey says whether a file under this key holds what nobody else may see.
func secretKey(key string) bool {
	k := strings.ToLower(key)
	return k == "key" || strings.HasSuffix(k, "password") || strings.HasSuffix(k, "secret") || strings.HasSuffix(k, "token")
}

// value goes through the settings; key is that of the value.
func (l *fileList) value(v reflect.Value, key string) {
	switch v.Type() {
	case pathType:
		if v.String() != "" {
			l.add(v.String(), secretKey(key))
		}
		return
	case secretType:
		if s := v.Interface().(Secret); s.kind == "file" {
			l.add(s.name, true)
		}
		return
	case sectionType:
		s := v.Interface().(Section)
		l.section(s.node, s.Dir, "")
		return
	case reflect.TypeFor[Registry](): // a network's, not the node's
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range fields(v.Type()) {
			l.value(v.FieldByIndex(f.index), f.key)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			l.value(v.Elem(), key)
		}
	case reflect.Slice:
		for i := range v.Len() {
			l.value(v.Index(i), key)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			l.value(it.Value(), key)
		}
	}
}

// section goes through settings whose meaning only their owner knows: what names a file there is one.
func (l *fileList) section(n *yaml.Node, dir, key string) {
	if n == nil {
		return
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			l.section(n.Content[i+1], dir, n.Content[i].Value)
		}
		return
	}
	for _, c := range n.Content {
		l.section(c, dir, key)
	}
	if n.Kind != yaml.ScalarNode || n.Value == "" || strings.Contains(n.Value, "\n") {
		return
	}
	path, secret := strings.CutPrefix(n.Value, "file:")
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	l.add(path, secret || secretKey(key))
}

// Secrets gives each secret of the settings that can be read, with its key, and each that is named as a file in a section
// whose meaning only its owner knows.
func (c *Config) Secrets(f func(path, value string)) {
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		switch v.Type() {
		case pathType:
			return
		case secretType:
			if value, err := v.Interface().(Secret).Read(); err == nil && value != "" {
				f(path, value)
			}
			return
		case sectionType:
			s := v.Interface().(Section)
			s.Scalars(func(key, value string) {
				var secret Secret
				if strings.HasPrefix(value, "file:") && secret.UnmarshalText([]byte(value)) == nil {
					if secret.kind == "file" && !filepath.IsAbs(secret.name) {
						secret.name = filepath.Join(s.Dir, secret.name)
					}
					if read, err := secret.Read(); err == nil {
						f(path+"."+key, read)
					}
				}
			})
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for _, f := range fields(v.Type()) {
				walk(v.FieldByIndex(f.index), strings.TrimPrefix(path+"."+f.key, "."))
			}
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem(), path)
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i), path)
			}
		case reflect.Map:
			for it := v.MapRange(); it.Next(); {
				walk(it.Value(), path+"."+it.Key().String())
			}
		}
	}
	walk(reflect.ValueOf(c).Elem(), "")
}

// Scalars gives each single value of the section, with its key from there on: "users.password".
func (s Section) Scalars(f func(path, value string)) {
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		switch {
		case n == nil:
		case n.Kind == yaml.ScalarNode:
			f(path, n.Value)
		case n.Kind == yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				walk(n.Content[i+1], strings.TrimPrefix(path+"."+n.Content[i].Value, "."))
			}
		default:
			for _, c := range n.Content {
				walk(c, path)
			}
		}
	}
	walk(s.node, "")
}
