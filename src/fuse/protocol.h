#pragma once

#include <linux/fuse.h>
#include <sys/ioctl.h>

#include <cstdint>

/// The kernel's FUSE protocol: its own header, and our declarations of what was added after the oldest header we build
/// with (protocol 7.38), under names of our own so that newer headers do not clash.
namespace weir::fuse {

// The version we speak, and the oldest we take: 7.31 (Linux 5.4) has all that is indispensable, 5.15 kernels
// speak 7.34.
inline constexpr uint32_t kProtocolMajor = 7;
inline constexpr uint32_t kProtocolMinor = 45;
inline constexpr uint32_t kOldestProtocolMinor = 31;

// Opcodes.
inline constexpr uint32_t kOpStatx = 52;
inline constexpr uint32_t kOpCopyFileRange64 = 53;
inline constexpr uint32_t kOpLast = kOpCopyFileRange64;

// INIT flags, bits 32 and up in flags2.
inline constexpr uint64_t kInitHasExpireOnly = 1ULL << 35;
inline constexpr uint64_t kInitDirectIoAllowMmap = 1ULL << 36;
inline constexpr uint64_t kInitPassthrough = 1ULL << 37;
inline constexpr uint64_t kInitNoExportSupport = 1ULL << 38;
inline constexpr uint64_t kInitHasResend = 1ULL << 39;
inline constexpr uint64_t kInitAllowIdmap = 1ULL << 40;
inline constexpr uint64_t kInitOverIoUring = 1ULL << 41;
inline constexpr uint64_t kInitRequestTimeout = 1ULL << 42;

// OPEN reply flags.
inline constexpr uint32_t kOpenParallelDirectWrites = 1U << 6;
inline constexpr uint32_t kOpenPassthrough = 1U << 7;

// Bit of a unique that says: this request was delivered before.
inline constexpr uint64_t kUniqueResent = 1ULL << 63;
// INTERRUPT carries the unique of its request with this bit set.
inline constexpr uint64_t kUniqueInterrupt = 1ULL;

// Notifications.
inline constexpr int32_t kNotifyResend = 7;
inline constexpr int32_t kNotifyIncreaseEpoch = 8;
inline constexpr uint32_t kExpireOnly = 1U << 0;

struct InitOut {
  uint32_t major;
  uint32_t minor;
  uint32_t max_readahead;
  uint32_t flags;
  uint16_t max_background;
  uint16_t congestion_threshold;
  uint32_t max_write;
  uint32_t time_gran;
  uint16_t max_pages;
  uint16_t map_alignment;
  uint32_t flags2;
  uint32_t max_stack_depth;
  uint16_t request_timeout;
  uint16_t unused[11];
};
static_assert(sizeof(InitOut) == sizeof(fuse_init_out));

struct OpenOut {
  uint64_t fh;
  uint32_t open_flags;
  int32_t backing_id;
};
static_assert(sizeof(OpenOut) == sizeof(fuse_open_out));

struct StatxIn {
  uint32_t getattr_flags;
  uint32_t reserved;
  uint64_t fh;
  uint32_t sx_flags;
  uint32_t sx_mask;
};
static_assert(sizeof(StatxIn) == 24);

struct StatxTime {
  int64_t tv_sec;
  uint32_t tv_nsec;
  int32_t reserved;
};

struct StatxAttributes {
  uint32_t mask;
  uint32_t blksize;
  uint64_t attributes;
  uint32_t nlink;
  uint32_t uid;
  uint32_t gid;
  uint16_t mode;
  uint16_t spare0;
  uint64_t ino;
  uint64_t size;
  uint64_t blocks;
  uint64_t attributes_mask;
  StatxTime atime;
  StatxTime btime;
  StatxTime ctime;
  StatxTime mtime;
  uint32_t rdev_major;
  uint32_t rdev_minor;
  uint32_t dev_major;
  uint32_t dev_minor;
  uint64_t spare2[14];
};
static_assert(sizeof(StatxAttributes) == 256);

struct StatxOut {
  uint64_t attr_valid;
  uint32_t attr_valid_nsec;
  uint32_t flags;
  uint64_t spare[2];
  StatxAttributes stat;
};
static_assert(sizeof(StatxOut) == 288);

struct CopyFileRangeOut {
  uint64_t bytes_copied;
};

struct BackingMap {
  int32_t fd;
  uint32_t flags;
  uint64_t padding;
};

inline constexpr unsigned long kBackingOpen = _IOW(FUSE_DEV_IOC_MAGIC, 1, BackingMap);
inline constexpr unsigned long kBackingClose = _IOW(FUSE_DEV_IOC_MAGIC, 2, uint32_t);

/// "LOOKUP" for log lines; "opcode?" for one we do not know.
const char* opcode_name(uint32_t opcode);

}  // namespace weir::fuse
