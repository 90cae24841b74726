#include "bench/floor/floor_handler.h"

#include <sys/stat.h>

#include <algorithm>

#include "fuse/encode.h"
#include "fuse/wire.h"

namespace weir::bench {

namespace {

using fuse::BodyReader;
using fuse::Request;
using fuse::Responder;

constexpr int64_t kForeverMs = int64_t{365} * 24 * 3600'000;
constexpr vfs::Lifetimes kLifetimes{kForeverMs, kForeverMs, kForeverMs};

vfs::Attributes attributes_of(const NodeFacts& facts) {
  vfs::Attributes shown;
  shown.inode = InodeId{facts.id};
  shown.mode = facts.mode;
  shown.link_count = S_ISDIR(facts.mode) ? 2 : 1;
  shown.size = facts.size;
  shown.blocks_512 = (facts.size + 511) / 512;
  shown.atime_ns = shown.mtime_ns = shown.ctime_ns = shown.btime_ns = facts.mtime_ns;
  return shown;
}

vfs::Entry entry_of(const NodeFacts& facts) { return {vfs::KernelNode{facts.id}, attributes_of(facts)}; }

template <class T>
void answer_with(Responder responder, const T& out) {
  responder.ok({reinterpret_cast<const char*>(&out), sizeof(out)});
}

void answer(Responder responder, const Status& done) {
  if (!done) return responder.fail(done.error().code);
  responder.ok();
}

void answer_entry(Responder responder, const Result<NodeFacts>& made) {
  if (!made) return responder.fail(made.error().code);
  answer_with(std::move(responder), fuse::encode_entry(entry_of(*made), kLifetimes));
}

void answer_attributes(Responder responder, const Result<NodeFacts>& found) {
  if (!found) return responder.fail(found.error().code);
  answer_with(std::move(responder), fuse::encode_attributes_reply(attributes_of(*found), kLifetimes));
}

}  // namespace

void FloorHandler::start(const fuse::Negotiated& /*negotiated*/) {}

void FloorHandler::interrupt(uint64_t /*unique*/) {}

void FloorHandler::handle(const Request& request, Responder responder) {
  switch (request.header.opcode) {
    case FUSE_LOOKUP: return lookup(request, std::move(responder));
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET: return responder.none();
    case FUSE_GETATTR: return get_attributes(request, std::move(responder));
    case FUSE_SETATTR: return set_attributes(request, std::move(responder));
    case FUSE_MKDIR: return make_directory(request, std::move(responder));
    case FUSE_CREATE: return create(request, std::move(responder));
    case FUSE_OPEN: return open(std::move(responder));
    case FUSE_UNLINK:
    case FUSE_RMDIR: return remove(request, std::move(responder));
    case FUSE_RENAME:
    case FUSE_RENAME2: return rename(request, std::move(responder));
    case FUSE_READ: return read(request, std::move(responder));
    case FUSE_WRITE: return write(request, std::move(responder));
    case FUSE_READDIR: return list(request, std::move(responder), false);
    case FUSE_READDIRPLUS: return list(request, std::move(responder), true);
    case FUSE_STATFS: return statistics(std::move(responder));
    case FUSE_FLUSH:
    case FUSE_RELEASE:
    case FUSE_FSYNC: return responder.ok();
    default: return responder.fail(Code::kNoSystemCall);
  }
}

void FloorHandler::lookup(const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto found = tree_.lookup(request.header.nodeid, reader.name());
  if (!found && found.error().code == Code::kNotFound)
    return answer_with(std::move(responder), fuse::encode_absent(kLifetimes));
  answer_entry(std::move(responder), found);
}

void FloorHandler::get_attributes(const Request& request, Responder responder) {
  answer_attributes(std::move(responder), tree_.find(request.header.nodeid));
}

void FloorHandler::set_attributes(const Request& request, Responder responder) {
  const vfs::SetAttributes change = fuse::decode_set_attributes(BodyReader(request.body).take<fuse_setattr_in>());
  answer_attributes(std::move(responder), tree_.change(request.header.nodeid, change.mode, change.size));
}

void FloorHandler::make_directory(const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_mkdir_in>();
  answer_entry(std::move(responder), tree_.make(request.header.nodeid, reader.name(), S_IFDIR | (in.mode & 07777)));
}

void FloorHandler::create(const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_create_in>();
  const auto made = tree_.make(request.header.nodeid, reader.name(), S_IFREG | (in.mode & 07777));
  if (!made) return responder.fail(made.error().code);
  fuse_entry_out entry = fuse::encode_entry(entry_of(*made), kLifetimes);
  fuse::OpenOut opened = fuse::encode_opened({.handle = made->id, .keep_cache = true});
  const iovec pieces[2] = {{&entry, sizeof(entry)}, {&opened, sizeof(opened)}};
  responder.ok(pieces);
}

void FloorHandler::open(Responder responder) {
  answer_with(std::move(responder), fuse::encode_opened({.keep_cache = true}));
}

void FloorHandler::remove(const Request& request, Responder responder) {
  answer(std::move(responder), tree_.remove(request.header.nodeid, BodyReader(request.body).name()));
}

void FloorHandler::rename(const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const uint64_t new_parent = request.header.opcode == FUSE_RENAME ? reader.take<fuse_rename_in>().newdir
                                                                   : reader.take<fuse_rename2_in>().newdir;
  const std::string_view name = reader.name();
  answer(std::move(responder), tree_.rename(request.header.nodeid, name, new_parent, reader.name()));
}

void FloorHandler::read(const Request& request, Responder responder) {
  const auto in = BodyReader(request.body).take<fuse_read_in>();
  const auto bytes = tree_.read(request.header.nodeid, in.offset, in.size);
  if (!bytes) return responder.fail(bytes.error().code);
  responder.ok(std::string_view(*bytes));
}

void FloorHandler::write(const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_write_in>();
  const Status written = tree_.write(request.header.nodeid, in.offset, reader.bytes(in.size));
  if (!written) return responder.fail(written.error().code);
  answer_with(std::move(responder), fuse_write_out{in.size, 0});
}

void FloorHandler::list(const Request& request, Responder responder, bool plus) {
  const auto in = BodyReader(request.body).take<fuse_read_in>();
  fuse::DirectoryPacker packer(in.size, plus, kLifetimes);
  const InodeId self{request.header.nodeid};
  if (in.offset < 1) packer.add({".", 1, FileType::kDirectory, self, std::nullopt});
  if (in.offset < 2) packer.add({"..", 2, FileType::kDirectory, self, std::nullopt});
  for (uint64_t after = std::max<uint64_t>(in.offset, 2);;) {
    const auto next = tree_.next_entry(request.header.nodeid, after);
    if (!next) return responder.fail(next.error().code);
    if (!*next) break;
    const NodeFacts& facts = (*next)->facts;
    vfs::DirectoryItem item{(*next)->name, facts.id, S_ISDIR(facts.mode) ? FileType::kDirectory : FileType::kFile,
                            InodeId{facts.id}, std::nullopt};
    if (plus) item.entry = entry_of(facts);
    if (!packer.add(item)) break;
    after = facts.id;
  }
  responder.ok(packer.bytes());
}

void FloorHandler::statistics(Responder responder) {
  answer_with(std::move(responder),
              fuse::encode_statistics(
                  {.blocks = 1u << 30, .blocks_free = 1u << 30, .inodes = 1u << 30, .inodes_free = 1u << 30}));
}

}  // namespace weir::bench
