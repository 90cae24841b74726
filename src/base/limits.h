#pragma once

#include <cstddef>
#include <cstdint>

/// Every bound of the system, by name. A queue, cache, retry or loop without one of these is a bug.
namespace weir::limits {

// Content (docs/formats.md).
inline constexpr uint64_t kChunkBytes = 4u << 20;
inline constexpr uint64_t kInlineContentBytes = 4096;      // kept in the inode itself
inline constexpr uint64_t kSmallContentBytes = 64u << 10;  // never becomes an image
inline constexpr size_t kInlineChunkIds = 64;              // above: pages
inline constexpr size_t kPageChunkIds = 1024;              // chunk ids of one page: 4 GiB of file
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
inline constexpr int64_t kTransactionPauseMs = 64;   // between attempts, at most
inline constexpr uint32_t kSlots = 64;               // mutations of one node at once
inline constexpr uint64_t kIdRange = 4096;           // ids taken from the engine at once
inline constexpr size_t kReferencesAtOnce = 64;      // rows read while looking for one that counts
inline constexpr size_t kMarkedChunks = 512;         // chunks marked as stored in one transaction
inline constexpr size_t kXattrsAtOnce = 64;          // rows read while listing attributes
inline constexpr size_t kQueueEntriesAtOnce = 64;    // read by the collector
inline constexpr size_t kPathShown = 256;            // components of a path in a message of the check
inline constexpr size_t kDirectoryDepth = 65536;     // levels of directories, against loops
inline constexpr uint64_t kNameProbes = 1000;        // names of one directory whose hashes collide
inline constexpr size_t kScanRows = 1024;            // rows a scan returns at most in one call
inline constexpr size_t kScansAtOnce = 64;           // of one batch of reads
inline constexpr int64_t kFenceWaitMs = 10'000;      // a commit or fence waits for another's fence, then conflicts
inline constexpr size_t kRowCacheBytes = 16u << 20;  // rows of embedded metadata kept in memory
inline constexpr size_t kDeltaDirectories = 16384;   // directories whose `T` rows are known by their keys
inline constexpr size_t kRocksCacheBytes = 32u << 20;
inline constexpr size_t kRocksWriteBufferBytes = 16u << 20;
inline constexpr size_t kRocksLogBytes = 64u << 20;  // write-ahead log before the oldest is flushed
inline constexpr int kRocksOpenFiles = 256;
inline constexpr int64_t kRocksResumeMs = 1000;       // between attempts to write again after a full disk
inline constexpr int64_t kOutageMs = 300'000;         // operations wait for a metadata server that is out of reach
inline constexpr int64_t kPostgresReconnectMs = 250;  // between attempts to reach it
inline constexpr int64_t kPostgresLookMs = 1'000;     // between questions whether it has gone out of reach
inline constexpr size_t kPostgresConnections = 4;
inline constexpr size_t kPostgresFencers = 3;  // of them, so that what a fencing operation needs beside goes on
inline constexpr int64_t kPostgresCheckoutMs = 30'000;  // waiting for one of them
inline constexpr int kPostgresConnectSeconds = 10;
inline constexpr int64_t kPostgresStatementMs = 15'000;  // the server ends a statement
inline constexpr int64_t kPostgresReplyMs = 20'000;      // the client gives the connection up
inline constexpr int64_t kPostgresFencerWaitMs = 500;    // one that holds a fence waits for a row, then conflicts
inline constexpr int64_t kPostgresFenceIdleMs = 60'000;  // the server ends a fencing transaction nobody uses
inline constexpr int64_t kRecalledMs = 100;              // for how long a row that was read may be recalled
inline constexpr size_t kRecalledRows = 8192;            // in that time
inline constexpr size_t kRecalledKeys = 8;               // of a batch; larger ones are not recalled
inline constexpr size_t kRecalledRowBytes = kInlineContentBytes + 512;
inline constexpr int64_t kRecentDirectoryMs = 100;  // for how long attributes of a directory hold that was read
inline constexpr size_t kRecentDirectories = 1024;  // at once

// Locks across nodes (docs/data-model.md, "Locks").
inline constexpr size_t kLocksOfFile = 16384;        // held and waited for in one file; then ENOLCK
inline constexpr size_t kLockPartBytes = 60u << 10;  // of one `K` row
inline constexpr size_t kLockThreads = 8;            // for those that take shared locks
inline constexpr size_t kLockQueue = 16384;          // locks to be taken or looked at
inline constexpr int64_t kLockPollMs = 2000;         // between looks at the rows that are waited for
inline constexpr int64_t kLockCircleMs = 200;        // a wait of this length is looked at for a circle
inline constexpr size_t kLockCircleOwners = 65536;   // looked at for one circle
inline constexpr size_t kLockCirclesAtOnce = 16;     // of waits that one poll looks at
inline constexpr int kLockLooks = 100;               // at a table of several rows, until they go together

// Kernel channel.
inline constexpr size_t kFuseIoBytes = 1u << 20;                       // one READ or WRITE
inline constexpr size_t kFuseRequestBytes = kFuseIoBytes + 64 * 1024;  // with headers, and for the longest setxattr
inline constexpr int kFuseWorkersMax = 32;
inline constexpr uint16_t kFusePagesMax = 256;        // pages of one request: kFuseIoBytes
inline constexpr uint16_t kFuseBackgroundMax = 512;   // asynchronous requests the kernel sends at once
inline constexpr int64_t kFuseSpinMicroseconds = 50;  // looking for the next request before sleeping
inline constexpr size_t kFuseNotifications = 65536;   // queued for the kernel
inline constexpr size_t kFuseNotificationBytes = 64u << 20;
inline constexpr size_t kFuseReadAheadBytes = 1u << 20;
inline constexpr size_t kFuseWaitThreads = 32;               // for requests that wait for the object store
inline constexpr size_t kFuseUploadWaitThreads = 32;         // for fsync where it waits for the store
inline constexpr size_t kFusePublishThreads = 16;            // for those that hash, write or sync much
inline constexpr int64_t kFullCacheLookMs = 100;             // between attempts of a call that waits for room
inline constexpr size_t kFuseOutageThreads = 32;             // for requests that wait for a metadata server
inline constexpr size_t kFuseSlowQueue = 16384;              // requests queued for either
inline constexpr uint32_t kFuseFileBlockBytes = 128u << 10;  // st_blksize: how much buffered programs write at once

// Shared memory (docs/shared-memory.md).
inline constexpr uint32_t kSharedRequests = 512;  // in workers' hands or waiting for an answer
inline constexpr uint32_t kSharedHandles = 1u << 20;
inline constexpr uint32_t kSharedContents = 1024;    // of kSmallContentBytes each; further drafts are staged
inline constexpr uint32_t kSharedContentsKept = 64;  // whose memory stays when they are freed
inline constexpr uint32_t kSharedDrafts = 65536;     // staged
inline constexpr uint32_t kSharedLocks = 1u << 18;

// Volumes that several nodes share (docs/consistency.md, "Several nodes").
inline constexpr size_t kToldNames = 65536;   // inodes that the kernel was told of in some seconds
inline constexpr size_t kKeptPages = 65536;   // inodes of which the kernel may have kept pages
inline constexpr size_t kLookedAtOnce = 256;  // inodes of open files, in one read

// Supervisor (docs/supervisor.md).
inline constexpr size_t kSupervisorMessageBytes = 64u << 10;
inline constexpr size_t kSupervisorDescriptors = kFuseWorkersMax + 4;  // of one message
inline constexpr int64_t kSupervisorSendMs = 10'000;
inline constexpr int kRestartsAtOnce = 3;        // of daemons that died before they served, before there is a pause
inline constexpr int64_t kRestartPauseMs = 100;  // doubled for each further one
inline constexpr int64_t kRestartPauseMaxMs = 5'000;
inline constexpr int64_t kUpgradeMs = 60'000;  // `weir upgrade` waits for the new daemon

// Object store.
inline constexpr size_t kObjectNameBytes = 512;
inline constexpr size_t kObjectNamePartBytes = 128;             // between slashes
inline constexpr size_t kObjectBytes = 64u << 20;               // of one put
inline constexpr size_t kListedObjects = 1000;                  // of one page
inline constexpr size_t kStoreMarkerBytes = 4096;               // what tells one volume's store from another's
inline constexpr int64_t kStoreTemporaryAgeMs = 24 * 3600'000;  // older ones were left by a process that died
inline constexpr int kStoreAttempts = 6;
inline constexpr int64_t kStoreRetryDelayMs = 50;  // doubled for each further attempt
inline constexpr int64_t kStoreRetryDelayMaxMs = 5000;
inline constexpr uint64_t kUploadMemoryBytes = 64u << 20;  // of chunks on their way to the store
inline constexpr int64_t kStoreThrottledMs = 60'000;       // an operation goes on while the store says "slow down"
inline constexpr int64_t kStoreLastWaitsMs = 3'000;        // and no longer, once its users end
inline constexpr int64_t kBrakeWindowMs = 500;             // over which accepted requests are counted
inline constexpr double kBrakeCut = 0.9;                   // of what the store took, after it refused
inline constexpr double kBrakeRefusedShare = 0.08;         // of what was asked: fewer are no overload
inline constexpr double kBrakeGrowthPerSecond = 0.03;      // until it refuses again; less where few are taken
inline constexpr double kBrakeRateMin = 0.5;               // requests a second
inline constexpr double kBrakeRateMax = 10'000;            // while there is a brake
inline constexpr int64_t kBrakeForgottenMs = 5 * 60'000;   // without a refusal: no brake

// S3 (docs/object-stores.md).
inline constexpr size_t kStoreConnections = 64;                  // at once, unless the URL says otherwise
inline constexpr size_t kStoreConnectionsMax = 512;              // what the URL may say
inline constexpr size_t kStoreTransferBufferBytes = 256u << 10;  // of one connection, each way
inline constexpr int64_t kStoreConnectMs = 10'000;
inline constexpr int64_t kStoreRequestMs = 60'000;  // one request, waiting for a connection not counted
inline constexpr int64_t kStoreStallSeconds = 15;   // with fewer bytes than the next: stalled
inline constexpr int64_t kStoreSlowestBytesPerSecond = 1024;
inline constexpr int kStorePollMs = 1000;
inline constexpr size_t kStoreReplyBytes = 4u << 20;  // of what is not an object: lists and errors
inline constexpr size_t kStoreReplyHeaders = 64;
inline constexpr size_t kStoreXmlDepth = 16;
inline constexpr size_t kStoreXmlElements = 20'000;
inline constexpr int kStoreEmptyPages = 100;                // of a list, one after another
inline constexpr int64_t kStoreMarkerAgeMs = 30'000;        // of the last look at it, before a change
inline constexpr int64_t kCredentialsEarlyMs = 5 * 60'000;  // before they expire: time to get others
inline constexpr int64_t kCredentialsPauseMs = 10'000;      // between attempts to get others while the old ones serve
inline constexpr int64_t kMetadataServiceMs = 5'000;        // one request to it
inline constexpr int64_t kMetadataServiceConnectMs = 1'000;

// Control socket, mounting, node lease (docs/commands.md).
inline constexpr size_t kControlConnections = 32;
inline constexpr size_t kControlRequestBytes = 64u << 10;
inline constexpr size_t kControlReplyBytes = 4u << 20;  // one line of an answer
inline constexpr int64_t kControlRequestMs = 10'000;    // for a client to send its request whole
inline constexpr int64_t kControlSendMs = 10'000;       // for a client to take one line of the answer
inline constexpr int64_t kProgressIntervalMs = 200;
inline constexpr int64_t kMountProbeMs = 10'000;  // for a mounted volume to answer
inline constexpr int64_t kStopMs = 60'000;        // `weir umount` waits for the daemon to end
inline constexpr int64_t kDetachedMs = 10'000;    // a detached volume serves what is still open
inline constexpr int64_t kLeaseMs = 20'000;       // a node that did not renew for so long is dead
inline constexpr int64_t kLeaseRenewMs = 5'000;
inline constexpr int64_t kMembersLookMs = 2'000;   // between looks at the rows of other nodes
inline constexpr size_t kReportedProblems = 1000;  // of one fsck, listed one by one
inline constexpr int kCheckRounds = 4;             // of an fsck on a mounted volume

// Cache directory (docs/formats.md).
inline constexpr size_t kCacheBlockCacheBytes = 32u << 20;   // of both databases together
inline constexpr size_t kCacheWriteBufferBytes = 16u << 20;  // of both databases together
inline constexpr size_t kCacheLogBytes = 64u << 20;          // write-ahead log before the oldest is flushed
inline constexpr int kCacheOpenFiles = 256;                  // of one database
inline constexpr size_t kCacheHotSmallBytes = 8u << 20;      // small content kept in memory
inline constexpr uint64_t kCacheReserveBytesMax = uint64_t{10} << 30;
inline constexpr uint64_t kCacheMarginBytesMax = uint64_t{2} << 30;  // above the reserve: where eviction begins
inline constexpr int64_t kCacheGrantBytes = 16 << 20;                // written between two looks at the disk
inline constexpr uint64_t kCacheSegmentBytes = 16u << 20;            // of one file of small contents
inline constexpr size_t kCacheSaveChunks = 64;                       // filled between two saves of the presence bitmap
inline constexpr size_t kCacheChunkPlaces = 8;                       // copies of one chunk that a read tries
inline constexpr int64_t kCacheReopenMs = 1000;  // between attempts to open a database again whose disk failed
inline constexpr int64_t kCacheHousekeepingMs = 1000;
inline constexpr int64_t kCacheSaveUsesMs = 30'000;  // between two saves of recency
inline constexpr int64_t kCacheOneUseMs = 100;       // uses closer together than this count as one

// HTTP (docs/peers.md).
inline constexpr int kHttpBacklog = 1024;
inline constexpr size_t kHttpConnections = 1024;
inline constexpr size_t kHttpEventThreads = 4;
inline constexpr size_t kHttpThreads = 16;           // that run handlers
inline constexpr size_t kHttpQueued = 1024;          // requests waiting for one
inline constexpr size_t kHttpHeadBytes = 32u << 10;  // of a request: line and headers
inline constexpr int64_t kHttpRequestMs = 10'000;    // for a client to send a request that it began
inline constexpr int64_t kHttpIdleMs = 60'000;       // between requests of a connection
inline constexpr int64_t kHttpResponseMs = 20'000;   // for a client to take a response, and 1 ms for each of these
inline constexpr uint64_t kHttpSlowestBytesPerMs = 64;
inline constexpr int64_t kHttpWatchMs = 250;  // between looks for clients that take too long
inline constexpr size_t kHttpReplyHeadBytes = 16u << 10;
inline constexpr size_t kHttpReplyHeaders = 64;
inline constexpr size_t kHttpReplyBytes = 64u << 10;  // of a reply that is not what was asked for

// Peers (docs/peers.md).
inline constexpr size_t kSummedBytes = 64u << 10;   // of a chunk: what one CRC-32C is of
inline constexpr size_t kPeerSumsKept = 4096;       // chunks whose sums are remembered
inline constexpr size_t kPeerChunksInMemory = 32;   // being sent to others, that are not sent from a file
inline constexpr size_t kPeerConnectionsIdle = 16;  // to one node, kept for the next request
inline constexpr int64_t kPeerConnectMs = 2'000;
inline constexpr int64_t kPeerStallMs = 5'000;  // without a byte of an answer
inline constexpr int64_t kPeerIdleMs = 30'000;  // less than kHttpIdleMs: the other side closes later than we do
inline constexpr int kPeerFailures = 3;         // in a row: it is left alone for a moment
inline constexpr int64_t kPeerPauseMs = 250;    // doubled for each further failure
inline constexpr int64_t kPeerPauseMaxMs = 2'000;

// Messages between nodes (src/cluster/messenger.h).
inline constexpr size_t kMessageTopicBytes = 32;
inline constexpr size_t kMessageBytes = 16u << 10;
inline constexpr size_t kMessagesQueued = 4096;  // to be sent, and to be handled
inline constexpr size_t kMessageThreads = 4;     // of either
inline constexpr size_t kMessageNodes = 4096;    // with messages waiting to be sent

// Fault server of the tests (docs/test-servers.md).
inline constexpr size_t kTestServerHeadBytes = 64u << 10;
inline constexpr size_t kTestServerBodyBytes = 256u << 20;
inline constexpr size_t kTestServerConnections = 1024;
inline constexpr int kTestServerBacklog = 1024;
inline constexpr size_t kTestServerFaults = 1000;            // waiting to be given
inline constexpr size_t kTestServerHistory = 10'000;         // changes of a bucket that a stale list can go back
inline constexpr size_t kTestServerSeconds = 3600;           // of which the rate is kept
inline constexpr int64_t kTestServerSkewMs = 900'000;        // between a request's time and the server's
inline constexpr size_t kTestServerPieceBytes = 256u << 10;  // sent at once where the pace matters

}  // namespace weir::limits
