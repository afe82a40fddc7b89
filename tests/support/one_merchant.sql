-- A ledger with one merchant who has a long history, beside a second one: for the filters of lists. What is rare is the
-- oldest. Balances are not right: nothing verifies them.
CREATE SCHEMA one;

-- An identifier as the gateway makes it: a UUIDv7 of that millisecond, written as TypeID.
CREATE FUNCTION one.id(prefix text, moment timestamptz, salt text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT prefix || '_'
        || substr('0123456789abcdefghjkmnpqrstvwxyz', (milliseconds >> 45 & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', (milliseconds >> 40 & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', (milliseconds >> 35 & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', (milliseconds >> 30 & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', (milliseconds >> 25 & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', (milliseconds >> 20 & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', (milliseconds >> 15 & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', (milliseconds >> 10 & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', (milliseconds >> 5 & 31)::int + 1, 1)
        || substr('0123456789abcdefghjkmnpqrstvwxyz', (milliseconds >> 0 & 31)::int + 1, 1)
        || 'e' || substr(md5(salt), 1, 2) || '8' || substr(md5(salt), 3, 12)
    FROM (SELECT (extract(epoch FROM moment) * 1000)::bigint AS milliseconds) AS made
$$;

-- So many payments, spread over 80 days from a moment on.
CREATE FUNCTION one.fill(total bigint, begun timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO users SELECT 'usr_' || name, name || '@example.com', role, NULL, begun, '-' FROM (VALUES
        ('customer', 'customer'), ('customer2', 'customer'), ('customer3', 'customer'),
        ('merchant', 'merchant'), ('merchant2', 'merchant'), ('merchant3', 'merchant')) AS made(name, role);
    INSERT INTO accounts SELECT one.id('acc', begun + n * interval '1 ms', 'first' || n), 'usr_' || name, kind, currency,
        0, 0, 0, 10 * total, 'open', 2, begun, 0, 0 FROM (VALUES
        (1, 'customer', 'customer', 'EUR'), (2, 'customer', 'customer', 'USD'), (3, 'merchant', 'merchant', 'EUR'),
        (4, 'merchant', 'merchant', 'USD'), (5, 'customer2', 'customer', 'USD'), (6, 'merchant2', 'merchant', 'USD'),
        (7, 'customer', 'customer', 'JPY'), (8, 'merchant', 'merchant', 'JPY')) AS made(n, name, kind, currency);
    INSERT INTO accounts SELECT one.id('acc', begun + n * interval '10 ms', 'other' || n), 'usr_other' || n, 'customer', 'USD',
        0, 0, 0, 0, 'open', 1, begun, 0, 0 FROM generate_series(1, total) AS n;
    CREATE TEMPORARY TABLE made ON COMMIT DROP AS
        SELECT n, at, one.id('', at, 'one' || n) AS suffix,
            CASE WHEN n = 9 THEN 'usr_customer3' WHEN n % 10 = 5 THEN 'usr_customer2' ELSE 'usr_customer' END AS customer,
            CASE WHEN n = 10 THEN 'usr_merchant3' WHEN n % 10 = 5 THEN 'usr_merchant2' ELSE 'usr_merchant' END AS merchant,
            CASE WHEN n = 1 THEN 'EUR' ELSE 'USD' END AS currency,
            coalesce((ARRAY['captured', 'failed', 'canceled', 'expired', 'authorized', 'captured', 'partially_captured',
                'requires_confirmation'])[n], 'captured') AS status,
            coalesce((ARRAY['payment', 'deposit', 'payout', 'hold', 'capture', 'payment', 'release', 'refund', 'reversal'])[n],
                'payment') AS type
        FROM generate_series(1, total + 10) AS n
        CROSS JOIN LATERAL (SELECT begun + n * (interval '80 days' / (total + 10)) AS at) AS moment ORDER BY n;
    INSERT INTO payments SELECT 'pay' || suffix, status, 5, currency, 'automatic', customer, merchant, 0, 0, 0,
        CASE WHEN n = 1 THEN 'rare' WHEN n % 2 = 0 THEN 'order-' || n END, NULL, '{}',
        CASE WHEN status IN ('authorized', 'partially_captured', 'requires_confirmation') THEN begun + interval '100 years' END,
        NULL, 1, at, at, 0, 0, 0, 0, NULL,
        CASE WHEN status NOT IN ('failed', 'canceled', 'expired') THEN customer END FROM made;
    INSERT INTO transfers SELECT 'txn' || suffix, 0, type, 'pay' || suffix, customer, merchant, NULL, NULL, at, 'post', 5, 'USD',
        payer.id, 0, 0, 3 + n, payee.id, 0, 0, 3 + n
        FROM made
        LEFT JOIN accounts AS payer ON payer.owner_id = replace(customer, '3', '') AND payer.currency = made.currency
        LEFT JOIN accounts AS payee ON payee.owner_id = replace(merchant, '3', '') AND payee.currency = made.currency;
    WITH batches AS (
        INSERT INTO events SELECT 'evt' || suffix, CASE WHEN n = 2 THEN 'payment.failed' ELSE 'payment.captured' END,
            'pay' || suffix, 1, customer, merchant, at, '{}', nextval('event_batch_ids'), 0 FROM made
        RETURNING batch_id, id
    )
    INSERT INTO event_batches SELECT batch_id, batch_id, id, id, 1 FROM batches;
    INSERT INTO audit_log SELECT 'aud' || suffix, 'operator', CASE WHEN n = 1 THEN 'usr_operator2' ELSE 'usr_operator' END,
        CASE WHEN n = 2 THEN 'account.closed' ELSE 'session.started' END,
        CASE WHEN n = 3 THEN 'acc_rare' ELSE 'usr_customer' END, at, NULL, NULL, NULL, '{}', '{}' FROM made;
    INSERT INTO customers SELECT 'usr' || suffix, 'usr_merchant', NULL,
        CASE WHEN n = 1 THEN 'rare@example.com' ELSE 'many@example.com' END, 'c-' || n, at, 1 FROM made;
    INSERT INTO refunds SELECT 'ref' || suffix, (SELECT 'pay' || suffix FROM made WHERE n = 1), 'txn' || suffix, 1, 'USD', 0,
        NULL, at FROM made WHERE n <= 100;
    INSERT INTO webhook_endpoints VALUES ('whe_01kc3x0m5fe7v8qj2r4n6p9stk', 'usr_merchant', 0, 'https://example.com', '["*"]', NULL, NULL, 'whsec_' || repeat('A', 32), NULL,
        NULL, 0, begun, begun);
    INSERT INTO webhook_deliveries SELECT 'dlv' || suffix, 'whe_01kc3x0m5fe7v8qj2r4n6p9stk', 'evt' || suffix, n, 'payment.captured', 'pay' || suffix, at,
        NULL, at, CASE WHEN n = 1 THEN 'failed' ELSE 'delivered' END, '[]' FROM made;
END $$;
