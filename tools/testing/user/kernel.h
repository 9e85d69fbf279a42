/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of the kernel as the module's parsing of commands uses, in user space.
 * Whatever the module includes as <linux/...> is this file (see the Makefile).
 *
 * There is one thread. Contexts are pretended: @unit_context says which one the module
 * is in, and what may sleep asks for it.
 */
#ifndef USER_KERNEL_H
#define USER_KERNEL_H

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/types.h>
#include <linux/vhost.h>

#include "unit.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef unsigned int gfp_t;
typedef u64 sector_t;
typedef u32 blk_opf_t;
typedef u8 blk_status_t;
typedef int pid_t;

/*
 * The compiler
 */

#define __user
#define __force
#undef __counted_by
#define __counted_by(member)
#undef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#define noinline		__attribute__((noinline))
#define ____cacheline_aligned_in_smp
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define static_assert(x, ...)	_Static_assert(x, "" __VA_ARGS__)
#define READ_ONCE(x)		(*(volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define data_race(x)		(x)
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define struct_size(p, member, n) \
	(sizeof(*(p)) + sizeof(*(p)->member) * (size_t)(n))
#define IS_ENABLED(option)	0

/*
 * Numbers
 */

#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define BITS_PER_LONG		64
#define U16_MAX			((u16)~0)
#define U32_MAX			((u32)~0)
#define GENMASK(h, l)		((~0UL >> (63 - (h))) & (~0UL << (l)))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define IS_ALIGNED(x, a)	(!((x) & ((a) - 1)))
#define round_down(x, a)	((x) & ~((__typeof__(x))(a) - 1))
#define min(a, b) ({					\
	__auto_type _min_a = (a);			\
	__auto_type _min_b = (b);			\
	_min_a < _min_b ? _min_a : _min_b;		\
})
#define max(a, b) ({					\
	__auto_type _max_a = (a);			\
	__auto_type _max_b = (b);			\
	_max_a > _max_b ? _max_a : _max_b;		\
})
#define min3(a, b, c)		min(min(a, b), c)
#define min_t(type, a, b)	min((type)(a), (type)(b))

#define NSEC_PER_MSEC		1000000L
#define SZ_256K			0x40000
#define SZ_1M			0x100000
#define SZ_32M			0x2000000
#define SZ_64M			0x4000000
#define SZ_1G			0x40000000

#define le16_to_cpu(x)		le16toh(x)
#define le32_to_cpu(x)		le32toh(x)
#define le64_to_cpu(x)		le64toh(x)
#define cpu_to_le16(x)		htole16(x)
#define cpu_to_le32(x)		htole32(x)
#define cpu_to_le64(x)		htole64(x)

static inline int fls64(u64 x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}

static inline unsigned long __ffs(unsigned long x)
{
	unit_assert(x, "no bit is set");
	return __builtin_ctzl(x);
}

/* There is no speculation to stop here: an index has to have been checked. */
#define array_index_nospec(index, size) ({				\
	__typeof__(index) _index = (index);				\
	unit_assert(_index < (size), "index %llu of %llu",		\
		    (unsigned long long)_index, (unsigned long long)(size)); \
	_index;								\
})

#define DECLARE_BITMAP(name, bits) \
	unsigned long name[DIV_ROUND_UP(bits, BITS_PER_LONG)]

static inline void __set_bit(unsigned int nr, unsigned long *map)
{
	map[nr / BITS_PER_LONG] |= BIT(nr % BITS_PER_LONG);
}

static inline void __clear_bit(unsigned int nr, unsigned long *map)
{
	map[nr / BITS_PER_LONG] &= ~BIT(nr % BITS_PER_LONG);
}

/* One thread is all there is. */
#define set_bit(nr, map)	__set_bit(nr, map)
#define clear_bit(nr, map)	__clear_bit(nr, map)
#define assign_bit(nr, map, value) \
	((value) ? __set_bit(nr, map) : __clear_bit(nr, map))

static inline bool test_bit(unsigned int nr, const unsigned long *map)
{
	return map[nr / BITS_PER_LONG] & BIT(nr % BITS_PER_LONG);
}

static inline unsigned long find_next_bit(const unsigned long *map,
					  unsigned long size, unsigned long nr)
{
	while (nr < size && !test_bit(nr, map))
		nr++;
	return min(nr, size);
}

#define find_first_bit(map, size)	find_next_bit(map, size, 0)
#define bitmap_empty(map, size)		(find_first_bit(map, size) == (size))

#define for_each_set_bit(nr, map, size)					\
	for ((nr) = find_first_bit(map, size); (nr) < (size);		\
	     (nr) = find_next_bit(map, size, (nr) + 1))

#define for_each_set_bit_wrap(nr, map, size, start)			\
	for (unsigned int _n = 0;					\
	     _n < (size) && ((nr) = ((start) + _n) % (size), true); _n++) \
		if (test_bit(nr, map))

/*
 * Errors
 */

#define MAX_ERRNO	4095

#define ERR_PTR(err)	((void *)(long)(err))
#define PTR_ERR(p)	((long)(p))
#define IS_ERR(p)	((unsigned long)(p) >= (unsigned long)-MAX_ERRNO)
#define IS_ERR_OR_NULL(p)	(!(p) || IS_ERR(p))

/*
 * Lists
 */

struct list_head {
	struct list_head *next, *prev;
};

struct llist_node {
	struct llist_node *next;
};

struct llist_head {
	struct llist_node *first;
};

static inline bool llist_add(struct llist_node *new, struct llist_head *head)
{
	new->next = head->first;
	head->first = new;
	return !new->next;
}

#define LIST_HEAD(name)	struct list_head name = { &(name), &(name) }

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_empty(const struct list_head *list)
{
	return list->next == list;
}

static inline void list_add_tail(struct list_head *new, struct list_head *list)
{
	new->prev = list->prev;
	new->next = list;
	list->prev->next = new;
	list->prev = new;
}

static inline void list_del(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
	entry->next = NULL;
	entry->prev = NULL;
}

static inline void list_move_tail(struct list_head *entry, struct list_head *list)
{
	list_del(entry);
	list_add_tail(entry, list);
}

#define list_first_entry(list, type, member) \
	container_of((list)->next, type, member)

#define list_first_entry_or_null(list, type, member) \
	(list_empty(list) ? NULL : list_first_entry(list, type, member))

#define list_for_each_entry(pos, head, member)				\
	for ((pos) = list_first_entry(head, __typeof__(*(pos)), member);	\
	     &(pos)->member != (head);					\
	     (pos) = list_first_entry(&(pos)->member, __typeof__(*(pos)), member))

#define list_for_each_entry_safe(pos, n, head, member)			\
	for ((pos) = list_first_entry(head, __typeof__(*(pos)), member),	\
	     (n) = list_first_entry(&(pos)->member, __typeof__(*(n)), member);	\
	     &(pos)->member != (head);					\
	     (pos) = (n),						\
	     (n) = list_first_entry(&(n)->member, __typeof__(*(n)), member))

/*
 * Counters, references, locks
 */

typedef struct { int v; } atomic_t;
typedef struct { long v; } atomic_long_t;
typedef struct { int v; } refcount_t;

struct kref {
	refcount_t	refcount;
};

#define atomic_long_add(n, a)		((void)((a)->v += (n)))
#define atomic_long_sub(n, a)		((void)((a)->v -= (n)))
#define atomic_long_inc(a)		((void)(a)->v++)
#define atomic_long_add_return(n, a)	((a)->v += (n))
#define refcount_set(r, n)		((void)((r)->v = (n)))

static inline void refcount_inc(refcount_t *r)
{
	unit_assert(r->v > 0, "a reference to what has none");
	r->v++;
}

static inline bool refcount_dec_and_test(refcount_t *r)
{
	unit_assert(r->v > 0, "a reference is put too often");
	return !--r->v;
}

struct percpu_ref {
	long	count;
	bool	dead;
	void	(*release)(struct percpu_ref *ref);
};

int percpu_ref_init(struct percpu_ref *ref, void (*release)(struct percpu_ref *),
		    unsigned int flags, gfp_t gfp);
void percpu_ref_exit(struct percpu_ref *ref);
void percpu_ref_kill(struct percpu_ref *ref);
void percpu_ref_get(struct percpu_ref *ref);
void percpu_ref_put(struct percpu_ref *ref);

struct mutex {
	bool	locked;
};

typedef struct mutex spinlock_t;

#define DEFINE_MUTEX(name)	struct mutex name

static inline void mutex_lock(struct mutex *lock)
{
	unit_assert(!lock->locked, "a lock is taken twice");
	lock->locked = true;
}

static inline void mutex_unlock(struct mutex *lock)
{
	unit_assert(lock->locked, "a lock is given back that was not taken");
	lock->locked = false;
}

#define spin_lock_init(lock)		((void)((lock)->locked = false))
#define spin_lock(lock)			mutex_lock(lock)
#define spin_unlock(lock)		mutex_unlock(lock)
#define spin_lock_irq(lock)		mutex_lock(lock)
#define spin_unlock_irq(lock)		mutex_unlock(lock)
#define spin_lock_irqsave(lock, flags)	((void)((flags) = 0), mutex_lock(lock))
#define spin_unlock_irqrestore(lock, flags) \
	((void)(flags), mutex_unlock(lock))
#define lockdep_assert_held(lock)	unit_assert((lock)->locked, "not locked")

/*
 * Contexts, and what waits for one of its own
 */

struct task_struct {
	int	nobody;
};

extern struct task_struct *current;

#define in_task()			(unit_context != UNIT_IRQ)
#define fatal_signal_pending(task)	0
#define might_sleep() \
	unit_assert(unit_context != UNIT_IRQ, "%s() in an interrupt", __func__)
#define cond_resched()			might_sleep()
#define kthread_associate_blkcg(css)	((void)(css))

struct work_struct {
	void			(*fn)(struct work_struct *work);
	struct work_struct	*next;
	bool			queued;
};

struct delayed_work {
	struct work_struct	work;
};

struct workqueue_struct {
	int	nothing;
};

#define WQ_UNBOUND	0
#define WQ_FREEZABLE	0
#define INIT_WORK(work, f) \
	((void)(*(work) = (struct work_struct) { .fn = (f) }))

bool queue_work(struct workqueue_struct *wq, struct work_struct *work);
struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags,
					 int max_active, const char *name);
void destroy_workqueue(struct workqueue_struct *wq);

/* Members of structures that nobody here uses */
struct hrtimer {
	int	nothing;
};

struct vhost_task;
struct eventfd_ctx;
struct file;
typedef int wait_queue_entry_t;
typedef int wait_queue_head_t;
typedef int poll_table;
struct mm_struct;

/*
 * Memory
 */

#define PAGE_SHIFT		12
#define PAGE_SIZE		(1UL << PAGE_SHIFT)
#define offset_in_page(p)	((unsigned long)(p) & (PAGE_SIZE - 1))
#define PAGE_ALIGNED(p)		IS_ALIGNED((unsigned long)(p), PAGE_SIZE)
#define PFN_UP(x)		(((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)

/**
 * struct page - a page of the guest's memory, or of the kernel's
 * @folio: its folio
 * @kind: what it is for
 * @pins: as many times it is pinned
 * @write_pins: those of them that allow writing
 * @maps: as many times it is mapped
 * @dirty: as the folio's flag, but for each page
 * @written: a disk has written to it since it was pinned
 */
struct page {
	struct folio	*folio;
	enum {
		PAGE_NONE,
		PAGE_MARGIN,
		PAGE_GUEST,
		PAGE_KERNEL,
	}		kind;
	unsigned int	pins;
	unsigned int	write_pins;
	unsigned int	maps;
	bool		dirty;
	bool		written;
};

struct folio {
	struct page	page;
};

#define page_folio(p)			((p)->folio)
#define folio_page_idx(folio, p)	((unsigned long)((p) - &(folio)->page))

unsigned long folio_nr_pages(const struct folio *folio);
bool folio_test_dirty(const struct folio *folio);
int folio_lock_killable(struct folio *folio);
void folio_unlock(struct folio *folio);
void folio_mark_dirty(struct folio *folio);

#define GFP_KERNEL		1U
#define GFP_NOWAIT		2U
#define GFP_KERNEL_ACCOUNT	GFP_KERNEL
#define __GFP_NOWARN		0U

void *kmalloc(size_t size, gfp_t gfp);
void *kzalloc(size_t size, gfp_t gfp);
void *krealloc_array(void *p, size_t nr, size_t size, gfp_t gfp);
void kfree(const void *p);

#define kmalloc_array(nr, size, gfp)	kmalloc((size_t)(nr) * (size), gfp)
#define kvcalloc(nr, size, gfp)		kzalloc((size_t)(nr) * (size), gfp)
#define kvzalloc(size, gfp)		kzalloc(size, gfp)
#define kvfree(p)			kfree(p)

struct page *alloc_page(gfp_t gfp);
void __free_page(struct page *page);
void *kmap_local_page(struct page *page);
void kunmap_local(const void *p);

#define VM_MAP		0
#define PAGE_KERNEL	0
void *vmap(struct page **pages, unsigned int nr, unsigned long flags, int prot);
#define vunmap(p)	((void)(p))

#define FOLL_WRITE	1
#define FOLL_LONGTERM	2
#define FOLL_NOFAULT	4

int pin_user_pages_fast(unsigned long start, int nr, unsigned int flags,
			struct page **pages);
void unpin_user_pages(struct page **pages, unsigned long nr);
void unpin_user_pages_dirty_lock(struct page **pages, unsigned long nr,
				 bool dirty);
void unpin_user_page_range_dirty_lock(struct page *page, unsigned long nr,
				      bool dirty);
int account_locked_vm(struct mm_struct *mm, unsigned long nr, bool inc);

#define u64_to_user_ptr(x)	((void *)(uintptr_t)(x))
#define access_ok(p, size) \
	((u64)(uintptr_t)(p) + (size) <= 1ULL << 47 && (size) <= 1ULL << 47)
unsigned long copy_from_user(void *to, const void *from, unsigned long n);

#define sort(base, nr, size, cmp, swap)	qsort(base, nr, size, cmp)

#include "block.h"
#include "nvme.h"

#endif /* USER_KERNEL_H */
