#include <linux/fs.h>

#include "fuse/encode.h"
#include "fuse/ops/ops.h"

namespace weir::fuse::ops {

namespace {

void answer_entry(Service& service, Responder responder, const Result<vfs::Entry>& entry) {
  answer(std::move(responder), entry, [&](const vfs::Entry& found) { return encode_entry(found, service.lifetimes); });
}

meta::NewInode new_inode(const Request& request, FileType type, uint32_t mode, uint32_t umask) {
  meta::NewInode wanted;
  wanted.type = type;
  wanted.mode = mode & 07777;
  wanted.umask = umask;
  wanted.uid = request.header.uid;
  wanted.gid = request.header.gid;
  return wanted;
}

/// A body that is one name and nothing else.
template <class Do>
void with_name(const Request& request, Responder responder, Do action) {
  BodyReader reader(request.body);
  const std::string_view name = reader.name();
  if (reader.failed()) return answer_malformed(std::move(responder));
  action(name, std::move(responder));
}

void rename_to(Service& service, const Request& request, Responder responder, vfs::KernelNode new_parent,
               BodyReader* reader, meta::RenameFlags flags) {
  const std::string name(reader->name());
  const std::string new_name(reader->name());
  if (reader->failed()) return answer_malformed(std::move(responder));
  service.publish(std::move(responder), [&service, caller = caller_of(request), parent = node_of(request), name,
                                         new_parent, new_name, flags](Responder later) {
    answer(std::move(later), service.filesystem.rename(caller, parent, name, new_parent, new_name, flags));
  });
}

}  // namespace

void lookup(Service& service, const Request& request, Responder responder) {
  with_name(request, std::move(responder), [&](std::string_view name, Responder named) {
    const auto entry = service.filesystem.lookup(node_of(request), name, caller_of(request));
    if (!entry && entry.error().code == Code::kNotFound && service.lifetimes.absent_ms > 0) {
      return answer_with(std::move(named), encode_absent(service.lifetimes));
    }
    answer_entry(service, std::move(named), entry);
  });
}

void forget(Service& /*service*/, const Request& /*request*/, Responder responder) {
  // A node id says by itself which inode and version it is; nothing is counted.
  responder.none();
}

void make_node(Service& service, const Request& request, Responder responder) {
  BodyReader reader(without_extensions(request.header, request.body));
  const auto in = reader.take<fuse_mknod_in>();
  const std::string_view name = reader.name();
  if (reader.failed()) return answer_malformed(std::move(responder));
  const Result<FileType> type = type_of_mode(in.mode);
  if (!type) return responder.fail(type.error());
  meta::NewInode wanted = new_inode(request, *type, in.mode, in.umask);
  wanted.device = in.rdev;
  answer_entry(service, std::move(responder),
               service.filesystem.make(caller_of(request), node_of(request), name, wanted));
}

void make_directory(Service& service, const Request& request, Responder responder) {
  BodyReader reader(without_extensions(request.header, request.body));
  const auto in = reader.take<fuse_mkdir_in>();
  const std::string_view name = reader.name();
  if (reader.failed()) return answer_malformed(std::move(responder));
  const meta::NewInode wanted = new_inode(request, FileType::kDirectory, in.mode, in.umask);
  answer_entry(service, std::move(responder),
               service.filesystem.make(caller_of(request), node_of(request), name, wanted));
}

void symlink(Service& service, const Request& request, Responder responder) {
  BodyReader reader(without_extensions(request.header, request.body));
  const std::string_view name = reader.name();
  const std::string_view target = reader.text();
  if (reader.failed()) return answer_malformed(std::move(responder));
  meta::NewInode wanted = new_inode(request, FileType::kSymlink, 0777, 0);
  wanted.symlink_target = target;
  answer_entry(service, std::move(responder),
               service.filesystem.make(caller_of(request), node_of(request), name, wanted));
}

void read_link(Service& service, const Request& request, Responder responder) {
  const auto target = service.filesystem.read_link(node_of(request));
  if (!target) return responder.fail(target.error());
  responder.ok(*target);
}

void link(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_link_in>();
  const std::string name(reader.name());
  if (reader.failed()) return answer_malformed(std::move(responder));
  service.publish(std::move(responder), [&service, caller = caller_of(request), parent = node_of(request), in,
                                         name](Responder later) {
    answer_entry(service, std::move(later), service.filesystem.link(caller, {in.oldnodeid}, parent, name));
  });
}

void unlink(Service& service, const Request& request, Responder responder) {
  with_name(request, std::move(responder), [&](std::string_view name, Responder named) {
    answer(std::move(named), service.filesystem.unlink(caller_of(request), node_of(request), name));
  });
}

void remove_directory(Service& service, const Request& request, Responder responder) {
  with_name(request, std::move(responder), [&](std::string_view name, Responder named) {
    answer(std::move(named), service.filesystem.remove_directory(caller_of(request), node_of(request), name));
  });
}

void rename(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_rename_in>();
  rename_to(service, request, std::move(responder), {in.newdir}, &reader, {});
}

void rename2(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_rename2_in>();
  if ((in.flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0) return responder.fail(Code::kInvalid);
  meta::RenameFlags flags;
  flags.no_replace = (in.flags & RENAME_NOREPLACE) != 0;
  flags.exchange = (in.flags & RENAME_EXCHANGE) != 0;
  if (flags.no_replace && flags.exchange) return responder.fail(Code::kInvalid);
  rename_to(service, request, std::move(responder), {in.newdir}, &reader, flags);
}

}  // namespace weir::fuse::ops
