#include "fuse/encode.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstddef>

#include "base/limits.h"

namespace weir::fuse {

namespace {

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr uint32_t kDirectoryBlockBytes = 4096;

struct SplitTime {
  int64_t seconds;
  uint32_t nanoseconds;
};

/// Nanoseconds count forwards from the second before, also for times before 1970.
SplitTime split_time(int64_t time_ns) {
  int64_t seconds = time_ns / kNanosecondsPerSecond;
  int64_t nanoseconds = time_ns % kNanosecondsPerSecond;
  if (nanoseconds < 0) {
    --seconds;
    nanoseconds += kNanosecondsPerSecond;
  }
  return {seconds, static_cast<uint32_t>(nanoseconds)};
}

int64_t join_time(uint64_t seconds, uint32_t nanoseconds) {
  // What nanoseconds in 64 bits cannot say is clamped: the years 1678 to 2261.
  constexpr int64_t kSecondsMax = INT64_MAX / kNanosecondsPerSecond - 1;
  const int64_t clamped = std::clamp(static_cast<int64_t>(seconds), -kSecondsMax, kSecondsMax);
  return clamped * kNanosecondsPerSecond + std::min<int64_t>(nanoseconds, kNanosecondsPerSecond - 1);
}

void set_lifetime(int64_t lifetime_ms, uint64_t* seconds, uint32_t* nanoseconds) {
  *seconds = static_cast<uint64_t>(lifetime_ms / 1000);
  *nanoseconds = static_cast<uint32_t>(lifetime_ms % 1000 * 1'000'000);
}

uint32_t block_bytes(uint32_t mode) {
  return (mode & S_IFMT) == S_IFREG ? limits::kFuseFileBlockBytes : kDirectoryBlockBytes;
}

StatxTime statx_time(int64_t time_ns) {
  const SplitTime split = split_time(time_ns);
  return {split.seconds, split.nanoseconds, 0};
}

}  // namespace

fuse_attr encode_attributes(const vfs::Attributes& attributes) {
  fuse_attr attr{};
  attr.ino = attributes.inode.value;
  attr.size = attributes.size;
  attr.blocks = attributes.blocks_512;
  const SplitTime atime = split_time(attributes.atime_ns);
  const SplitTime mtime = split_time(attributes.mtime_ns);
  const SplitTime ctime = split_time(attributes.ctime_ns);
  attr.atime = static_cast<uint64_t>(atime.seconds);
  attr.mtime = static_cast<uint64_t>(mtime.seconds);
  attr.ctime = static_cast<uint64_t>(ctime.seconds);
  attr.atimensec = atime.nanoseconds;
  attr.mtimensec = mtime.nanoseconds;
  attr.ctimensec = ctime.nanoseconds;
  attr.mode = attributes.mode;
  attr.nlink = attributes.link_count;
  attr.uid = attributes.uid;
  attr.gid = attributes.gid;
  attr.rdev = attributes.device;
  attr.blksize = block_bytes(attributes.mode);
  return attr;
}

fuse_entry_out encode_entry(const vfs::Entry& entry, const vfs::Lifetimes& lifetimes) {
  fuse_entry_out out{};
  out.nodeid = entry.node.value;
  const bool fleeting = entry.fleeting || entry.attributes.fleeting;
  set_lifetime(entry.fleeting || entry.once ? 0 : lifetimes.entry_ms, &out.entry_valid, &out.entry_valid_nsec);
  set_lifetime(fleeting ? 0 : lifetimes.attributes_ms, &out.attr_valid, &out.attr_valid_nsec);
  out.attr = encode_attributes(entry.attributes);
  return out;
}

fuse_entry_out encode_absent(const vfs::Lifetimes& lifetimes) {
  fuse_entry_out out{};
  set_lifetime(lifetimes.absent_ms, &out.entry_valid, &out.entry_valid_nsec);
  return out;
}

fuse_attr_out encode_attributes_reply(const vfs::Attributes& attributes, const vfs::Lifetimes& lifetimes) {
  fuse_attr_out out{};
  set_lifetime(attributes.fleeting ? 0 : lifetimes.attributes_ms, &out.attr_valid, &out.attr_valid_nsec);
  out.attr = encode_attributes(attributes);
  return out;
}

StatxOut encode_statx(const vfs::Attributes& attributes, const vfs::Lifetimes& lifetimes) {
  StatxOut out{};
  set_lifetime(attributes.fleeting ? 0 : lifetimes.attributes_ms, &out.attr_valid, &out.attr_valid_nsec);
  StatxAttributes& stat = out.stat;
  stat.mask = STATX_BASIC_STATS | STATX_BTIME;
  stat.blksize = block_bytes(attributes.mode);
  stat.nlink = attributes.link_count;
  stat.uid = attributes.uid;
  stat.gid = attributes.gid;
  stat.mode = static_cast<uint16_t>(attributes.mode);
  stat.ino = attributes.inode.value;
  stat.size = attributes.size;
  stat.blocks = attributes.blocks_512;
  stat.atime = statx_time(attributes.atime_ns);
  stat.btime = statx_time(attributes.btime_ns);
  stat.ctime = statx_time(attributes.ctime_ns);
  stat.mtime = statx_time(attributes.mtime_ns);
  stat.rdev_major = major(attributes.device);
  stat.rdev_minor = minor(attributes.device);
  return out;
}

fuse_statfs_out encode_statistics(const vfs::VolumeStatistics& statistics) {
  fuse_statfs_out out{};
  out.st.blocks = statistics.blocks;
  out.st.bfree = statistics.blocks_free;
  out.st.bavail = statistics.blocks_free;
  out.st.files = statistics.inodes;
  out.st.ffree = statistics.inodes_free;
  out.st.bsize = static_cast<uint32_t>(statistics.block_bytes);
  out.st.frsize = static_cast<uint32_t>(statistics.block_bytes);
  out.st.namelen = limits::kNameBytes;
  return out;
}

OpenOut encode_opened(const vfs::Opened& opened) {
  OpenOut out{};
  out.fh = opened.handle;
  switch (opened.mode) {
    case vfs::OpenMode::kCached:
      if (opened.keep_cache) out.open_flags = FOPEN_KEEP_CACHE;
      break;
    case vfs::OpenMode::kDirect: out.open_flags = FOPEN_DIRECT_IO | kOpenParallelDirectWrites; break;
    case vfs::OpenMode::kPass: out.open_flags = kOpenPassthrough; break;
    case vfs::OpenMode::kPassDirect: out.open_flags = kOpenPassthrough | FOPEN_DIRECT_IO; break;
  }
  out.backing_id = opened.backing_id;
  return out;
}

vfs::SetAttributes decode_set_attributes(const fuse_setattr_in& in) {
  vfs::SetAttributes change;
  if ((in.valid & FATTR_MODE) != 0) change.mode = in.mode & 07777;
  if ((in.valid & FATTR_UID) != 0) change.uid = in.uid;
  if ((in.valid & FATTR_GID) != 0) change.gid = in.gid;
  if ((in.valid & FATTR_SIZE) != 0) change.size = in.size;
  change.atime_now = (in.valid & FATTR_ATIME_NOW) != 0;
  change.mtime_now = (in.valid & FATTR_MTIME_NOW) != 0;
  if ((in.valid & FATTR_ATIME) != 0 && !change.atime_now) change.atime_ns = join_time(in.atime, in.atimensec);
  if ((in.valid & FATTR_MTIME) != 0 && !change.mtime_now) change.mtime_ns = join_time(in.mtime, in.mtimensec);
  if ((in.valid & FATTR_CTIME) != 0) change.ctime_ns = join_time(in.ctime, in.ctimensec);
  return change;
}

Result<vfs::Lock> decode_lock(const fuse_lk_in& in) {
  vfs::Lock lock;
  lock.kind = (in.lk_flags & FUSE_LK_FLOCK) != 0 ? vfs::LockKind::kFlock : vfs::LockKind::kPosix;
  switch (in.lk.type) {
    case F_RDLCK: lock.type = vfs::LockType::kRead; break;
    case F_WRLCK: lock.type = vfs::LockType::kWrite; break;
    case F_UNLCK: lock.type = vfs::LockType::kNone; break;
    default: return error(Code::kInvalid, "{} is no type of a lock", in.lk.type);
  }
  lock.owner = in.owner;
  lock.first = in.lk.start;
  lock.last = in.lk.end;
  lock.pid = in.lk.pid;
  return lock;
}

fuse_lk_out encode_lock(const vfs::Lock& lock) {
  fuse_lk_out out{};
  switch (lock.type) {
    case vfs::LockType::kRead: out.lk.type = F_RDLCK; break;
    case vfs::LockType::kWrite: out.lk.type = F_WRLCK; break;
    case vfs::LockType::kNone: out.lk.type = F_UNLCK; break;
  }
  out.lk.start = lock.first;
  // The kernel refuses ends beyond its own largest offset.
  out.lk.end = std::min<uint64_t>(lock.last, INT64_MAX);
  out.lk.pid = lock.pid;
  return out;
}

DirectoryPacker::DirectoryPacker(size_t bytes_max, bool plus, const vfs::Lifetimes& lifetimes)
    : bytes_max_(bytes_max), plus_(plus), lifetimes_(lifetimes) {
  bytes_.reserve(bytes_max);
}

bool DirectoryPacker::add(const vfs::DirectoryItem& item) {
  const size_t head = plus_ ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET;
  const size_t size = FUSE_DIRENT_ALIGN(head + item.name.size());
  if (bytes_.size() + size > bytes_max_) return false;
  if (plus_) {
    // Node id 0 says that there is only a name: "." and "..", and what went away between.
    const fuse_entry_out entry = item.entry ? encode_entry(*item.entry, lifetimes_) : fuse_entry_out{};
    bytes_.append(reinterpret_cast<const char*>(&entry), sizeof(entry));
  }
  fuse_dirent dirent{};
  dirent.ino = item.inode.value;
  dirent.off = item.next_cookie;
  dirent.namelen = static_cast<uint32_t>(item.name.size());
  dirent.type = mode_bits_of(item.type) >> 12;
  bytes_.append(reinterpret_cast<const char*>(&dirent), FUSE_NAME_OFFSET);
  bytes_.append(item.name);
  bytes_.append(size - head - item.name.size(), '\0');
  return true;
}

}  // namespace weir::fuse
