#pragma once

#include <cstddef>
#include <cstdint>

/// Every bound of the system, by name. A queue, cache, retry or loop without one of these is a bug.
namespace weir::limits {

// Content (docs/formats.md).
inline constexpr uint64_t kChunkBytes = 4u << 20;
inline constexpr uint64_t kInlineContentBytes = 4096;        // kept in the inode itself
inline constexpr uint64_t kSmallContentBytes = 64u << 10;    // never becomes an image
inline constexpr size_t kInlineChunkIds = 64;                // above: pages
inline constexpr size_t kPageChunkIds = 1024;                // chunk ids of one page: 4 GiB of file
inline constexpr size_t kInodePages = 4096;
inline constexpr uint64_t kFileBytes = kInodePages * kPageChunkIds * kChunkBytes;  // 16 TiB

// Names and attributes.
inline constexpr size_t kNameBytes = 255;
inline constexpr size_t kSymlinkBytes = 4095;
inline constexpr size_t kXattrNameBytes = 255;
inline constexpr size_t kXattrValueBytes = 60u << 10;
inline constexpr size_t kXattrListBytes = 64u << 10;
inline constexpr uint32_t kLinks = 65000;

// Engine (docs/data-model.md).
inline constexpr size_t kKeyBytes = 1024;
inline constexpr size_t kValueBytes = 64u << 10;
inline constexpr size_t kTransactionBytes = 1u << 20;
inline constexpr int kTransactionAttempts = 100;
inline constexpr size_t kScanRows = 1024;  // rows a scan returns at most in one call

// Kernel channel.
inline constexpr size_t kFuseIoBytes = 1u << 20;                    // one READ or WRITE
inline constexpr size_t kFuseRequestBytes = kFuseIoBytes + 64 * 1024;  // with headers, and for the longest setxattr
inline constexpr int kFuseWorkersMax = 32;

// Object store.
inline constexpr size_t kObjectNameBytes = 512;
inline constexpr size_t kObjectNamePartBytes = 128;             // between slashes
inline constexpr size_t kObjectBytes = 64u << 20;               // of one put
inline constexpr size_t kListedObjects = 1000;                  // of one page
inline constexpr size_t kStoreMarkerBytes = 4096;               // what tells one volume's store from another's
inline constexpr int64_t kStoreTemporaryAgeMs = 24 * 3600'000;  // older ones were left by a process that died
inline constexpr int kStoreAttempts = 6;
inline constexpr int64_t kStoreRetryDelayMs = 50;               // doubled for each further attempt
inline constexpr int64_t kStoreRetryDelayMaxMs = 5000;

}  // namespace weir::limits
