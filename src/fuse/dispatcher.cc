#include "fuse/dispatcher.h"

#include <array>

#include "fuse/ops/ops.h"

namespace weir::fuse {

namespace {

using Table = std::array<Operation, kOpLast + 1>;

/// Opcodes that are not named here, of later kernels too, get ENOSYS: the kernel then does without.
constexpr Table make_table() {
  Table table{};
  table.fill(ops::no_system_call);
  table[FUSE_LOOKUP] = ops::lookup;
  table[FUSE_FORGET] = ops::forget;
  table[FUSE_BATCH_FORGET] = ops::forget;
  table[FUSE_MKNOD] = ops::make_node;
  table[FUSE_MKDIR] = ops::make_directory;
  table[FUSE_SYMLINK] = ops::symlink;
  table[FUSE_READLINK] = ops::read_link;
  table[FUSE_LINK] = ops::link;
  table[FUSE_UNLINK] = ops::unlink;
  table[FUSE_RMDIR] = ops::remove_directory;
  table[FUSE_RENAME] = ops::rename;
  table[FUSE_RENAME2] = ops::rename2;
  table[FUSE_GETATTR] = ops::get_attributes;
  table[FUSE_SETATTR] = ops::set_attributes;
  table[kOpStatx] = ops::statx;
  table[FUSE_STATFS] = ops::statistics;
  table[FUSE_OPEN] = ops::open;
  table[FUSE_CREATE] = ops::create;
  table[FUSE_TMPFILE] = ops::create_unnamed;
  table[FUSE_FLUSH] = ops::flush;
  table[FUSE_RELEASE] = ops::release;
  table[FUSE_FSYNC] = ops::sync;
  table[FUSE_READ] = ops::read;
  table[FUSE_WRITE] = ops::write;
  table[FUSE_FALLOCATE] = ops::allocate;
  table[FUSE_LSEEK] = ops::seek;
  table[FUSE_COPY_FILE_RANGE] = ops::copy_range;
  table[kOpCopyFileRange64] = ops::copy_range_64;
  table[FUSE_OPENDIR] = ops::open_directory;
  table[FUSE_READDIR] = ops::read_directory;
  table[FUSE_READDIRPLUS] = ops::read_directory_plus;
  table[FUSE_RELEASEDIR] = ops::release_directory;
  table[FUSE_FSYNCDIR] = ops::sync_directory;
  table[FUSE_GETXATTR] = ops::get_xattr;
  table[FUSE_LISTXATTR] = ops::list_xattrs;
  table[FUSE_SETXATTR] = ops::set_xattr;
  table[FUSE_REMOVEXATTR] = ops::remove_xattr;
  table[FUSE_GETLK] = ops::get_lock;
  table[FUSE_SETLK] = ops::set_lock;
  table[FUSE_SETLKW] = ops::set_lock_wait;
  table[FUSE_IOCTL] = ops::no_ioctl;
  return table;
}

constexpr Table kTable = make_table();

}  // namespace

Dispatcher::Dispatcher(vfs::Filesystem& filesystem) : service_(std::make_unique<Service>(filesystem)) {}

Dispatcher::~Dispatcher() = default;

void Dispatcher::start(const Negotiated& negotiated) { service_->negotiated = negotiated; }

void Dispatcher::handle(const Request& request, Responder responder) {
  const uint32_t opcode = request.header.opcode;
  const Operation operation = opcode < kTable.size() ? kTable[opcode] : ops::no_system_call;
  operation(*service_, request, std::move(responder));
}

void Dispatcher::interrupt(uint64_t unique) { service_->filesystem.interrupt_lock({.unique = unique}); }

}  // namespace weir::fuse
