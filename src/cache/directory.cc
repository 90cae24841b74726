#include "cache/directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "base/io.h"
#include "base/sha256.h"

namespace weir::cache {

namespace {

Result<std::string> kernel_boot_id() {
  // Files in /proc have no size, so read_file() would find nothing.
  ASSIGN_OR_RETURN(FileDescriptor fd, io::open_file("/proc/sys/kernel/random/boot_id", O_RDONLY));
  std::string text(64, '\0');
  ASSIGN_OR_RETURN(size_t length, io::read_at(fd.get(), text.data(), text.size(), 0));
  text.resize(length);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

/// The same failure, in a sentence about the directory.
Status explain(Status status, const std::string& root) {
  if (status) return status;
  const Error& cause = status.error();
  switch (cause.code) {
    case Code::kReadOnly: return error(cause.code, "cache directory {} is on a read-only disk ({})", root, cause.what);
    case Code::kNoSpace: return error(cause.code, "cache directory {} is on a full disk ({})", root, cause.what);
    case Code::kAccess:
      return error(cause.code, "cache directory {} is not accessible to this user ({})", root, cause.what);
    default: return error(cause.code, "cache directory {} cannot be used: {}", root, cause.what);
  }
}

}  // namespace

Result<Directory> Directory::open(const Options& options) {
  if (options.directory.empty()) return error(Code::kInvalid, "no cache directory is given");
  Directory directory{Layout(options.directory)};
  const std::string& root = options.directory;
  TRY(explain(io::make_directories(root), root));
  TRY(directory.lock());
  ASSIGN_OR_RETURN(bool known, directory.identify(options));
  TRY(explain(directory.make(), root));
  directory.is_new_ = !known;
  if (!known) TRY(explain(directory.save_identity(), root));
  return directory;
}

Status Directory::lock() {
  const std::string& root = layout_.root();
  auto opened = io::open_file(layout_.lock_file(), O_RDWR | O_CREAT);
  if (!opened) return explain(Failure(opened.error()), root);
  lock_fd_ = std::move(*opened);
  if (::flock(lock_fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return errno_error(errno, fmt::format("lock {}", layout_.lock_file()));
    std::string owner(32, '\0');
    Result<size_t> length = io::read_at(lock_fd_.get(), owner.data(), owner.size(), 0);
    owner.resize(length ? *length : 0);
    return error(Code::kBusy, "cache directory {} is in use by process {}", root, owner.empty() ? "unknown" : owner);
  }
  if (::ftruncate(lock_fd_.get(), 0) != 0)
    return explain(errno_error(errno, fmt::format("truncate {}", layout_.lock_file())), root);
  return explain(io::write_at(lock_fd_.get(), fmt::format("{}", ::getpid()), 0), root);
}

/// False when the directory is new.
Result<bool> Directory::identify(const Options& options) {
  const std::string& root = layout_.root();
  ASSIGN_OR_RETURN(boot_id_, options.boot_id ? options.boot_id() : kernel_boot_id());
  Result<Bytes> text = io::read_file(layout_.identity_file());
  if (!text && text.error().code == Code::kNotFound) {
    identity_.volume_id = options.volume_id;
    return false;
  }
  if (!text) TRY(explain(Failure(text.error()), root));
  Result<Identity> identity = Identity::decode(*text);
  if (!identity)
    return error(identity.error().code, "cache directory {} cannot be used: {}", root, identity.error().what);
  if (identity->volume_id != options.volume_id)
    return error(Code::kInvalid, "cache directory {} belongs to volume {}, not to {}; use another directory", root,
                 identity->volume_id, options.volume_id);
  identity_ = std::move(*identity);
  return true;
}

Status Directory::make() {
  TRY(io::make_directories(layout_.staging()));
  TRY(io::make_directories(layout_.small()));
  for (unsigned fan = 0; fan < 256; ++fan) TRY(io::make_directories(layout_.images(static_cast<uint8_t>(fan))));
  ASSIGN_OR_RETURN(fd_, io::open_file(layout_.root(), O_RDONLY | O_DIRECTORY));
  return {};
}

uint64_t Directory::boot() const {
  Sha256Digest digest = sha256(boot_id_);
  return Decoder({reinterpret_cast<const char*>(digest.data()), digest.size()}).u64();
}

Status Directory::save_boot() {
  if (!boot_changed()) return {};
  identity_.boot_id = boot_id_;
  return explain(save_identity(), layout_.root());
}

Status Directory::save_identity() {
  // What the identity vouches for is there before it.
  TRY(io::sync_directory(layout_.images()));
  return io::write_file_durably(layout_.identity_file(), identity_.encode());
}

}  // namespace weir::cache
