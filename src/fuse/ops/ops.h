#pragma once

#include "fuse/ops/operation.h"

/// One function an opcode, of the kernel's name. Grouped by file.
namespace weir::fuse::ops {

// names.cc
void lookup(Service& service, const Request& request, Responder responder);
void forget(Service& service, const Request& request, Responder responder);
void make_node(Service& service, const Request& request, Responder responder);
void make_directory(Service& service, const Request& request, Responder responder);
void symlink(Service& service, const Request& request, Responder responder);
void read_link(Service& service, const Request& request, Responder responder);
void link(Service& service, const Request& request, Responder responder);
void unlink(Service& service, const Request& request, Responder responder);
void remove_directory(Service& service, const Request& request, Responder responder);
void rename(Service& service, const Request& request, Responder responder);
void rename2(Service& service, const Request& request, Responder responder);

// attributes.cc
void get_attributes(Service& service, const Request& request, Responder responder);
void set_attributes(Service& service, const Request& request, Responder responder);
void statx(Service& service, const Request& request, Responder responder);
void statistics(Service& service, const Request& request, Responder responder);

// open.cc
void open(Service& service, const Request& request, Responder responder);
void create(Service& service, const Request& request, Responder responder);
void create_unnamed(Service& service, const Request& request, Responder responder);
void flush(Service& service, const Request& request, Responder responder);
void release(Service& service, const Request& request, Responder responder);
void sync(Service& service, const Request& request, Responder responder);

// io.cc
void read(Service& service, const Request& request, Responder responder);
void write(Service& service, const Request& request, Responder responder);
void allocate(Service& service, const Request& request, Responder responder);
void seek(Service& service, const Request& request, Responder responder);
void copy_range(Service& service, const Request& request, Responder responder);
void copy_range_64(Service& service, const Request& request, Responder responder);

// directory.cc
void open_directory(Service& service, const Request& request, Responder responder);
void read_directory(Service& service, const Request& request, Responder responder);
void read_directory_plus(Service& service, const Request& request, Responder responder);
void release_directory(Service& service, const Request& request, Responder responder);
void sync_directory(Service& service, const Request& request, Responder responder);

// xattrs.cc
void get_xattr(Service& service, const Request& request, Responder responder);
void list_xattrs(Service& service, const Request& request, Responder responder);
void set_xattr(Service& service, const Request& request, Responder responder);
void remove_xattr(Service& service, const Request& request, Responder responder);

// locks.cc
void get_lock(Service& service, const Request& request, Responder responder);
void set_lock(Service& service, const Request& request, Responder responder);
void set_lock_wait(Service& service, const Request& request, Responder responder);

// refused.cc: what Weir does not offer, and the errno with which programs get along best.
void no_system_call(Service& service, const Request& request, Responder responder);
void no_ioctl(Service& service, const Request& request, Responder responder);

}  // namespace weir::fuse::ops
