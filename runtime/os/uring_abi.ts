/** Numbers of `include/uapi/linux/io_uring.h`, equal on every architecture, under their names there. */

// io_uring_setup(2)
export const SETUP_CQSIZE = 1 << 3;
export const SETUP_SUBMIT_ALL = 1 << 7;
export const SETUP_COOP_TASKRUN = 1 << 8;
export const SETUP_SINGLE_ISSUER = 1 << 12;
export const SETUP_DEFER_TASKRUN = 1 << 13;
export const SETUP_NO_SQARRAY = 1 << 16;

export const FEAT_SINGLE_MMAP = 1 << 0;
export const FEAT_NODROP = 1 << 1;
export const FEAT_EXT_ARG = 1 << 8;
export const FEAT_CQE_SKIP = 1 << 11;

export const OFF_SQ_RING = 0n;
export const OFF_SQES = 0x1000_0000n;

// io_uring_enter(2)
export const ENTER_GETEVENTS = 1 << 0;
export const ENTER_EXT_ARG = 1 << 3;

// io_uring_register(2)
export const REGISTER_PBUF_RING = 22;

// Operations
export const OP_ACCEPT = 13;
export const OP_ASYNC_CANCEL = 14;
export const OP_CONNECT = 16;
export const OP_CLOSE = 19;
export const OP_READ = 22;
export const OP_SEND = 26;
export const OP_RECV = 27;
export const OP_SHUTDOWN = 34;

// Flags of a submission, and of single operations in `ioprio`
export const SQE_BUFFER_SELECT = 1 << 5;
export const SQE_CQE_SKIP_SUCCESS = 1 << 6;
export const ACCEPT_MULTISHOT = 1 << 0;
export const RECVSEND_POLL_FIRST = 1 << 0;
export const RECV_MULTISHOT = 1 << 1;
export const CANCEL_ALL = 1 << 0;
export const CANCEL_FD = 1 << 1;

// Flags of a completion
export const CQE_BUFFER = 1 << 0;
export const CQE_MORE = 1 << 1;
export const CQE_BUFFER_SHIFT = 16;

/** Words (32 bits) of a submission and of a completion. */
export const SQE_WORDS = 16;
export const CQE_WORDS = 4;
